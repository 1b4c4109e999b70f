/** What a whole node records when nobody watches: each state of each actor, and one record a batch, against what the node reports. */

import { expect, test } from '@jest/globals'
import { totalOf } from '../../../actors/kernel/histogram.ts'
import { createInstruments } from '../../../observe/instruments.ts'
import { createNodeRecorder } from '../../../observe/recorder/recorder.ts'
import { startNodeOfTest } from '../../support/nodeOfTest.ts'
import type { ActorRecord } from '../../../observe/recorder/record.ts'
import type { NodeOfTest } from '../../support/nodeOfTest.ts'

const WRITES = 30

test('the states of its actors are those that it reports; a group of its log or a proposal is one record, a message none', () => {
  let started: NodeOfTest | null = null
  // The node's clock, which begins with it.
  const clock = { now: () => started?.clock.now() ?? 0, wall: () => started?.clock.wall() ?? 0 }
  const recorder = createNodeRecorder({ node: 'n1', clock })
  const heard: ActorRecord[] = []
  recorder.listen((record) => heard.push(record))
  const instruments = createInstruments(() => 0)
  const groups = (): number => totalOf(instruments.records.walRecords.sparse())
  started = startNodeOfTest({ recorder, instruments: instruments.ports })
  for (let i = 0; i < WRITES; i += 1) {
    started.send(`kv.put.key-${i}`, 'a value')
    started.pass(20)
  }
  started.pass(1_000)
  const { report } = started.node.sample()
  const stateOf = (actor: string): string | undefined => heard.findLast(({ kind, actor: of }) => kind === 'state' && of === actor)?.event
  expect(stateOf('node')).toBe(report.node.state)
  for (const { shard, state, role } of report.replicas) {
    expect([shard, stateOf(`shard/${shard}`)]).toEqual([shard, state])
    expect([shard, stateOf(`raft/${shard}`)?.split('.')[0]]).toEqual([shard, role])
  }
  const others = ['wal', 'gossip', 'topology', 'raft/meta', 'connection/raw']
  expect(others.filter((actor) => stateOf(actor) === undefined)).toEqual([])
  const states = heard.filter(({ kind }) => kind === 'state')
  for (const [i, { actor, event }] of states.entries()) {
    const next = states.slice(i + 1).find((other) => other.actor === actor)
    expect([actor, next?.event]).not.toEqual([actor, event])
  }

  const batches = (of: string): readonly ActorRecord[] => heard.filter(({ kind, actor }) => kind === 'batch' && actor.startsWith(of))
  expect(batches('wal').length).toBe(groups())
  const proposals = batches('shard/')
  expect(proposals.reduce((sum, { detail }) => sum + Number(detail?.['operations']), 0)).toBeGreaterThanOrEqual(WRITES)
  expect(heard.every(({ at }, i) => at >= (heard[i - 1]?.at ?? 0))).toBe(true)
  const told = [...batches('wal').filter(({ event }) => event === 'group'), ...proposals]
  expect(told.filter(({ bytes = 0, node }) => bytes === 0 || node !== 'n1')).toEqual([])
  expect(heard.filter(({ kind }) => kind === 'send' || kind === 'receive' || kind === 'phase')).toEqual([])
  expect([...recorder.read({ after: 0 })]).toEqual(heard)
  expect(JSON.stringify(heard)).not.toMatch(/a value|key-/)
})
