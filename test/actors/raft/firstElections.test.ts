/**
 * When members that have just started stand for election: few groups at once where a node has many, not later where it has few, and
 * no later than any other member once a leader was heard.
 */

import { expect, test } from '@jest/globals'
import { initialConfiguration } from '../../../actors/wal/protocol.ts'
import { createShell } from '../../../actors/kernel/shell.ts'
import { createRandom } from '../../../actors/kernel/random.ts'
import { createAllowance } from '../../../actors/raft/allowance.ts'
import { raftLimits } from '../../../actors/raft/limits.ts'
import { raftMachine } from '../../../actors/raft/machine.ts'
import { createCore } from '../../../actors/raft/state.ts'
import { firstElectionDelay, raftTiming } from '../../../actors/raft/timing.ts'
import { defaultSettings } from '../../../topology/nodeOptions.ts'
import { idOf } from '../../support/raftHarness.ts'
import type { RaftCore } from '../../../actors/raft/state.ts'
import type { RaftEffect, RaftEvent } from '../../../actors/raft/protocol.ts'

const MEMBERS = [1, 2, 3]
const timing = raftTiming({ ...defaultSettings.raftTiming, tickMs: defaultSettings.tickMs })
const random = createRandom(Number(process.env.SHARDKV_SEED ?? 42))
const limits = raftLimits()

const startedIn = (group: number, number: number): RaftCore => createCore({
  self: idOf(number), configuration: initialConfiguration(MEMBERS.map(idOf)), snapshot: null, timing, limits, random,
  recovered: { group, hardState: { term: 0, vote: '' }, snapshot: { index: 0, term: 0 }, entries: [] },
  crc32: () => 0, allowance: createAllowance(limits.moveBytesPerSecond, timing.tickMs), now: 0, wallMs: 0,
  firstElectionDelay: firstElectionDelay(group),
})

/** In ticks: of the member that is first. */
const firstElectionOf = (group: number): number => Math.min(...MEMBERS.map((number) => startedIn(group, number).electionTimeout))

const mostAtOnce = (ticks: readonly number[]): number => {
  const counts = new Map<number, number>()
  for (const tick of ticks) counts.set(tick, (counts.get(tick) ?? 0) + 1)
  return Math.max(...counts.values())
}

test('first elections of 1,024 groups are spread over seconds', () => {
  const ticks = Array.from({ length: 1_024 }, (_, group) => firstElectionOf(group))
  expect(mostAtOnce(ticks)).toBeLessThanOrEqual(64)
  expect(Math.max(...ticks) * timing.tickMs).toBeLessThanOrEqual(5_000)
})

test('a node of sixteen shards waits for none of them any longer', () => {
  expect(Array.from({ length: 16 }, (_, group) => firstElectionDelay(group))).toEqual(Array(16).fill(0))
})

/** How many ticks pass until it asks for votes, at most `ticksMax`. */
const ticksToCampaign = (core: RaftCore, send: (event: RaftEvent) => void, ticksMax: number): number => {
  let ticks = 0
  for (; core.role === 'follower' && ticks < ticksMax; ticks += 1) send({ type: 'tick', ticks: 1, now: 0, wallMs: 0 })
  return ticks
}

test('a member that has heard a leader waits no longer for the next than any other, whatever its group', () => {
  const core = startedIn(1_000, 1)
  core.presenting.accepted.add(idOf(2))
  const shell = createShell<typeof raftMachine, RaftEffect>({
    machine: raftMachine, input: { core }, effects: core.effects, perform: () => {}, onFailure: (error) => { throw error },
  })
  const hear = (): void => shell.send({ type: 'raft.heartbeat', from: idOf(2), term: 1, commitIndex: 0, round: 1 })
  // Long enough for what a start forbids, and heard all the while.
  for (let tick = 0; tick < 2 * timing.electionTicksMax; tick += 1) {
    hear()
    shell.send({ type: 'tick', ticks: 1, now: 0, wallMs: 0 })
  }
  hear()
  expect(core.role).toBe('follower')
  expect(ticksToCampaign(core, shell.send, 10 * timing.electionTicksMax)).toBeLessThanOrEqual(timing.electionTicksMax)
  expect(core.role).toBe('preCandidate')
})
