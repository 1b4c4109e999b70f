/**
 * One run: a cluster and its clients as the plan says, a storm, healing, a last read of every key, and the judgement. The history is
 * written as it happens, so that it is there whatever becomes of this process.
 */

import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createRandom } from '../actors/kernel/random.ts'
import { TTL_MS } from './clients/passing.ts'
import { startLoad, readFinals } from './clients/load.ts'
import { awaitAcknowledgement, watchShards } from './clients/probes.ts'
import { connectClients } from './clients/connections.ts'
import { LATE_MS } from './expiry.ts'
import { FINAL_CLIENT, createRecorder } from './history.ts'
import { judgeHistory, problemsOf } from './judge.ts'
import { isServing, startTestCluster } from './ground/cluster.ts'
import { clockOffset } from './nemeses/clockOffset.ts'
import { mountSmallDisk } from './ground/smallDisk.ts'
import { chosen } from './plan.ts'
import { settleMembers } from './settleMembers.ts'
import { rage, strikeOn } from './storm.ts'
import { superviseCluster } from './supervisor.ts'
import { SLACK, bars, noTimes } from './times.ts'
import type { Outcome } from '../sim/history.ts'
import type { Connections } from './clients/connections.ts'
import type { Load } from './clients/load.ts'
import type { ShardWatch } from './clients/probes.ts'
import type { Recorder } from './history.ts'
import type { Judgement } from './judge.ts'
import type { TestCluster } from './ground/cluster.ts'
import type { SmallDisk } from './ground/smallDisk.ts'
import type { Planted } from './ground/hauntedBuild.ts'
import type { Arena, Nemesis } from './nemeses/nemesis.ts'
import type { Plan } from './plan.ts'
import type { Supervisor } from './supervisor.ts'
import type { Times } from './times.ts'

export interface RunInput {
  readonly plan: Plan
  readonly commit: string
  /** History, logs and, after a failure, data directories are put here. */
  readonly keepIn: string
  readonly planted: readonly Planted[]
  readonly say: (line: string) => void
}

export interface RunResult {
  readonly judgement: Judgement
  /** Everything that must not be, one sentence each. */
  readonly problems: readonly string[]
  readonly times: Times
  readonly strikes: ReadonlyMap<string, number>
  /** Nodes that were killed while they led, and were succeeded. */
  readonly leaderKills: number
  /** Operations that were answered, and those of which nobody knows what became of them; the rest has failed for certain. */
  readonly answered: number
  readonly unknown: number
}

const DISK_BYTES = 96 * 1_048_576
/** With a shard away for no longer, no call of the SDK may fail: its default timeout is 5 s. */
const GAP_MS_BAR = 4_000
const THINK_MS = 60
const LEASE_READS = 0.1
const PASSING = 0.12
const AFTERMATH_MS = 1_000
const SERVED_WITHIN_MS = 120_000
/** Longer than most pauses, shorter than some. */
const LOST_AFTER_MS = 5_000
/** What a storm was too short for: the kills that are demanded. */
const MORE_KILLS_SECONDS = 600
const MS_PER_SECOND = 1_000

interface Ground {
  readonly input: RunInput
  readonly nemeses: readonly Nemesis[]
  readonly cluster: TestCluster
  readonly disk: SmallDisk | null
  readonly connections: Connections
  readonly recorder: Recorder
  readonly load: Load
  readonly supervisor: Supervisor
  readonly times: Times
  readonly problems: string[]
  leaderKills: number
}

/** Of a cluster that never served. */
const notBegun = (error: unknown): RunResult => ({
  judgement: judgeHistory({ shards: null, operations: [], repeats: new Map(), isWhole: false }),
  problems: [`the cluster did not start: ${error instanceof Error ? error.message : String(error)}`],
  times: noTimes(), strikes: new Map(), leaderKills: 0, answered: 0, unknown: 0,
})

export const run = async (input: RunInput): Promise<RunResult> => {
  const { plan, keepIn } = input
  mkdirSync(keepIn, { recursive: true })
  writeFileSync(join(keepIn, 'plan.json'), `${JSON.stringify(plan, null, 2)}\n`)
  let ground: Ground
  try {
    ground = await open(input)
  } catch (error) {
    return notBegun(error)
  }
  const { problems, recorder, times, supervisor } = ground
  let strikes: ReadonlyMap<string, number> = new Map()
  try {
    strikes = await weatherTheStorm(ground)
    recorder.end()
    problems.push(...emptyProblems({ answered: countOf(recorder, 'answered'), strikes }))
  } catch (error) {
    problems.push(error instanceof Error ? error.stack ?? error.message : String(error))
  }
  // Also of a run that did not end as it should: what was acknowledged until then is as true.
  const judgement = judgeHistory(recorder.history())
  problems.push(...problemsOf(judgement), ...supervisor.surprises())
  await close(ground, problems.length > 0)
  const { leaderKills } = ground
  return {
    judgement, problems, times, strikes, leaderKills, answered: countOf(recorder, 'answered'), unknown: countOf(recorder, 'unknown'),
  }
}

/** Of what clients asked for under attack: the reads after it are answered in any case. */
const countOf = (recorder: Recorder, kind: Outcome['kind']): number =>
  recorder.history().operations.filter(({ outcome, client }) => outcome.kind === kind && client !== FINAL_CLIENT).length

/** A run in which nothing struck, or nobody was answered, has tried nothing. */
export const emptyProblems = ({ answered, strikes }: Pick<RunResult, 'answered' | 'strikes'>): readonly string[] => [
  ...(answered > 0 ? [] : ['no operation was answered: nothing was tested']),
  ...([...strikes.values()].some((count) => count > 0) ? [] : ['nothing struck: nothing was tested']),
]

const open = async (input: RunInput): Promise<Ground> => {
  const { plan, keepIn, planted } = input
  const nemeses = chosen(plan.nemeses)
  const needs = new Set(nemeses.flatMap((nemesis) => nemesis.needs))
  const disks: SmallDisk[] = []
  const cluster = await startTestCluster({
    nodes: plan.nodes, shards: plan.shards, brokers: plan.brokers,
    isLinked: needs.has('links'), hasLinkedRoutes: needs.has('brokers'),
    isHaunted: needs.has('haunt') || planted.length > 0, planted, hasNext: needs.has('nextBuild'),
    ...(needs.has('members') ? { lostAfterMs: LOST_AFTER_MS } : {}),
    prepareDirectory: (node, directory) => {
      if (node === 'n1' && needs.has('smallDisk')) disks.push(mountSmallDisk(directory, DISK_BYTES))
    },
  })
  const disk = disks[0] ?? null
  let connections: Connections
  try {
    await cluster.until('every shard is served', isServing(cluster), SERVED_WITHIN_MS)
    connections = await connectClients(cluster, plan.clients, needs.has('links'))
  } catch (error) {
    await closeCluster({ cluster, disk, input }, true)
    throw error
  }
  const file = join(keepIn, 'history.jsonl')
  writeFileSync(file, '')
  const recorder = createRecorder((line) => appendFileSync(file, `${line}\n`), {
    seed: plan.seed, commit: input.commit, plan, shards: plan.shards,
  })
  return {
    input, nemeses, cluster, connections, recorder, disk,
    supervisor: superviseCluster(cluster), times: noTimes(), problems: [], leaderKills: 0,
    load: startLoad({
      through: connections.ways, clientsPerConnection: 1, seed: plan.seed, pauseMs: THINK_MS, recorder, leaseReads: LEASE_READS,
      registers: plan.registers, counters: plan.counters, passing: plan.nemeses.includes(clockOffset.name) ? 0 : PASSING,
    }),
  }
}

const weatherTheStorm = async (ground: Ground): Promise<ReadonlyMap<string, number>> => {
  const { input: { plan }, cluster, connections, load, times, nemeses, problems } = ground
  const killer = nemeses.find(({ name }) => name === 'killLeader')
  const isUnnoticed = nemeses.every((nemesis) => nemesis.isGentle === true || nemesis === killer)
  const watch = isUnnoticed ? watchShards(connections.prober, cluster.shardCount) : null
  const random = createRandom(plan.seed + 1)
  const arena = arenaOf(ground, random)
  const strikes = new Map(await rage({ chosen: nemeses, seconds: plan.seconds, arenaOf: arena }))
  if (killer !== undefined) {
    const isEnough = (): boolean => ground.leaderKills >= plan.leaderKills
    const more = await strikeOn({ nemesis: killer, arenaOf: arena, isEnough, withinSeconds: MORE_KILLS_SECONDS })
    strikes.set(killer.name, (strikes.get(killer.name) ?? 0) + more)
  }
  problems.push(...killProblems(plan.leaderKills, ground.leaderKills))
  heal(ground)
  times.settled.push(await settle(ground))
  if (changesMembers(nemeses)) await settleMoves(ground)
  if (watch !== null) problems.push(...await rejectionProblems(connections, watch, killer !== undefined))
  // Then whatever expires is overdue, though nobody writes any more.
  await pause(TTL_MS.most + LATE_MS)
  await readFinals(connections.prober, load)
  return strikes
}

/** Only kills of nodes that led, and were succeeded, say anything about failovers. */
export const killProblems = (wanted: number, found: number): readonly string[] =>
  (found >= wanted ? [] : [`only ${found} of ${wanted} leaders died as leaders: the failover is not proved`])

const arenaOf = (ground: Ground, random: Arena['random']) => (nemesis: Nemesis, over: AbortSignal): Omit<Arena, 'missed'> => {
  const { cluster, connections, disk, input, nemeses, recorder, supervisor, times } = ground
  return {
    cluster, random, times, over,
    phaseMs: input.plan.phaseSeconds * MS_PER_SECOND,
    noteLeaderKill: () => { ground.leaderKills += 1 },
    prober: connections.prober,
    smallDisk: disk,
    clients: connections.linked,
    isTimed: nemeses.every(({ isWeather }) => isWeather !== true),
    kill: supervisor.kill,
    start: supervisor.start,
    expectExit: supervisor.expectExit,
    hasOutlived: supervisor.hasOutlived,
    say: (text) => {
      recorder.nemesis(nemesis.name, text)
      input.say(`${nemesis.name}: ${text}`)
    },
  }
}

/** Whatever a strike left undone. */
const heal = ({ cluster, disk, supervisor, input, recorder }: Ground): void => {
  recorder.nemesis('heal', '')
  input.say('healed')
  for (const link of [...cluster.links.all(), ...cluster.brokers.routes]) link.mend()
  for (const server of cluster.brokers.servers) server.signal('SIGCONT')
  for (const node of cluster.roster.everyone()) cluster.signal(node, 'SIGCONT')
  disk?.free()
  supervisor.startAll()
}

/** Milliseconds until every shard acknowledges, everybody serves who can, and every call has its outcome. */
const settle = async ({ cluster, connections, load, supervisor }: Ground): Promise<number> => {
  const healedAt = performance.now()
  const shards = Array.from({ length: cluster.shardCount }, (_, shard) => shard)
  const withinMs = bars.settledMax * SLACK
  await Promise.all(shards.map((shard) => awaitAcknowledgement(connections.prober, shard, cluster.shardCount, withinMs)))
  const able = cluster.members.filter((node) => !supervisor.mayBeGone().has(node))
  await cluster.until('every shard is served after healing', isServing(cluster, able), withinMs)
  const servedMs = performance.now() - healedAt
  await pause(AFTERMATH_MS)
  const stoppedAt = performance.now()
  await load.stop()
  return servedMs + performance.now() - stoppedAt
}

/** A node that damage has put aside for good has no place in a plan. */
const changesMembers = (nemeses: readonly Nemesis[]): boolean =>
  nemeses.some(({ needs }) => needs.includes('members')) && nemeses.every(({ isLast }) => isLast !== true)

const settleMoves = async ({ cluster, input, problems, times }: Ground): Promise<void> => {
  const settled = await settleMembers(cluster)
  input.say(`members settled after ${settled.tookMs.toFixed(0)} ms`)
  times.membersSettled.push(settled.tookMs)
  problems.push(...settled.problems)
}

/**
 * Where leaders die, or nodes are restarted with care, and nothing else happens, no caller of the SDK hears of it: unless the cluster
 * itself was away for as long as a call lasts.
 */
const rejectionProblems = async (
  { rejections, retries }: Connections, watch: ShardWatch, hasFailovers: boolean,
): Promise<readonly string[]> => {
  const longestGapMs = await watch.stop()
  if (hasFailovers && retries() === 0) return ['the SDK never had to repeat anything: nothing was tested']
  const isStarved = longestGapMs >= GAP_MS_BAR
  return rejections.filter((text) => !isStarved || !/^(?:Timeout|Overloaded)Error: /.test(text))
    .map((text) => `a caller of the SDK saw ${text}; no shard was away for longer than ${longestGapMs.toFixed(0)} ms`)
}

const close = async (ground: Ground, isFailed: boolean): Promise<void> => {
  ground.supervisor.stop()
  await ground.load.stop()
  await ground.connections.close()
  await closeCluster(ground, isFailed)
}

/** What a failure leaves is kept before anything is removed. */
const closeCluster = async ({ cluster, disk, input }: Pick<Ground, 'cluster' | 'disk' | 'input'>, isFailed: boolean): Promise<void> => {
  const everyone = cluster.roster.everyone()
  for (const node of everyone) await cluster.kill(node)
  for (const node of everyone) writeFileSync(join(input.keepIn, `${node}.log`), cluster.log(node))
  if (isFailed) cluster.keep(join(input.keepIn, 'cluster'))
  disk?.unmount()
  await cluster.stop()
}
