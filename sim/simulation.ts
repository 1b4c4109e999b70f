/**
 * A simulation: the parts of one run, wired together. A run (run.ts) drives it by its seed, a scenario test by hand.
 */

import { must } from '../actors/kernel/assert.ts'
import { createRandom } from '../actors/kernel/random.ts'
import { raftLimitDefaults } from '../actors/raft/limits.ts'
import { defaultShardLimits } from '../actors/shard/limits.ts'
import { openEnvelope } from '../bus/envelope.ts'
import { nodeOf } from '../topology/ids.ts'
import { createTimeline } from './clock.ts'
import { createCluster } from './cluster.ts'
import { createFaults } from './faults.ts'
import { isHarmed } from './atlas.ts'
import { ENDS_UNNAMED, endsUnnamed } from './invariants/endsUnnamed.ts'
import { describeOperation } from './history.ts'
import { hasLeft } from './mapFaults.ts'
import { createMarks } from './marks/marks.ts'
import { createNetwork, withAside } from './network.ts'
import { createTrace } from './trace.ts'
import { createWatch } from './watch.ts'
import { createWorkload } from './workload.ts'
import type { Timeline } from './clock.ts'
import type { Cluster, Machine } from './cluster.ts'
import type { Exit } from './faultContext.ts'
import type { Faults } from './faults.ts'
import type { QueueLimits } from './invariants/boundedQueues.ts'
import type { GroupId, ReplicaId } from '../topology/ids.ts'
import type { Marks } from './marks/marks.ts'
import type { RestLimits } from './marks/world.ts'
import type { Network } from './network.ts'
import type { SimRecording } from './recording.ts'
import { SIM_TICK_MS } from './options.ts'
import type { SimOptions } from './options.ts'
import type { Trace } from './trace.ts'
import type { SentMail } from './view.ts'
import type { Violation, Watch } from './watch.ts'
import type { Workload } from './workload.ts'

/** A leader that has heard no quorum for this many maximum election timeouts should be none any more. */
const SILENCE_ELECTIONS = 3
/** Beyond what the network's own seed, 32 bits, can be. */
const ASIDE_SEED = 0x1_0000_0000

/** A run and its parts, also for scenario tests that drive them by hand. */
export interface Simulation {
  readonly options: SimOptions
  readonly timeline: Timeline
  readonly trace: Trace
  readonly network: Network
  readonly cluster: Cluster
  readonly watch: Watch
  readonly workload: Workload
  readonly faults: Faults
  readonly marks: Marks
  readonly violation: () => Violation | null
  readonly fail: (violation: Violation) => void
}

export interface SimulationInput {
  readonly options: SimOptions
  readonly onLine?: (line: string) => void
  /** Of the newest version in the cluster; left out, today's. */
  readonly openEnvelope?: typeof openEnvelope
  readonly recording?: SimRecording
}

export const createSimulation = ({ options, onLine, recording, openEnvelope: open = openEnvelope }: SimulationInput): Simulation => {
  const timeline = createTimeline()
  recording?.begin(timeline.now)
  const random = createRandom(options.seed)
  const marks: Marks = createMarks({
    now: timeline.now, shards: options.shards, nodes: options.nodes, largeValueBytes: options.workload.largeValueBytes,
    ledgerOf: (shard) => watch.ledgers[shard], network: () => network.counters(), rest: restOf(options),
  })
  const trace = createTrace({
    now: timeline.now,
    onColumns: (columns) => {
      marks.onLine(columns)
      const wrong = endsUnnamed(columns, { newest: watch.newestMap, ledgerOf: watch.ledgerOf, isHarmed: isHarmedIn(cluster) })
      if (wrong !== null) fail({ invariant: ENDS_UNNAMED, text: wrong })
      recording?.onColumns(columns)
    },
    ...(onLine === undefined ? {} : { onLine }),
  })
  const networkSeed = random.uint32()
  const networkOf = (seed: number): Network => createNetwork(options.network, createRandom(seed), timeline.now)
  const network = withAside(networkOf(networkSeed), networkOf(networkSeed + ASIDE_SEED))
  let violation: Violation | null = null
  const fail = (found: Violation): void => {
    if (violation !== null) return
    violation = found
    trace.line('sim', 'violation', `${found.invariant}: ${found.text}`)
    timeline.stop()
  }
  const watch: Watch = createWatch({
    openEnvelope: open,
    shards: options.shards,
    genesis: () => must(cluster.genesis[0], 'a cluster has members'),
    silenceMsMax: SILENCE_ELECTIONS * options.raftTiming.electionTicksMax * SIM_TICK_MS,
    clockRateMax: options.clockRateMax,
    queueLimits: queueLimitsOf(options),
    now: timeline.now,
    machineOf: (name) => cluster.machines.find(({ id }) => id === name),
    onViolation: fail,
    onMail: (mail) => {
      if (options.isVerbose) trace.line(nodeOf(mail.from), 'mail', describeMail(mail))
      marks.onMail(mail)
    },
    onView: marks.onView,
    onMap: marks.onMap,
    ledgerObserver: {
      onStep: (shard, entry, step) => marks.onStep({ shard, entry, step }),
      onExpired: marks.onExpired,
      onSessionEnded: marks.onSessionEnded,
    },
  })
  const cluster: Cluster = createCluster({
    options, timeline, network, trace, random: createRandom(random.uint32()),
    tap: { sent: watch.onSent, heard: watch.onHeard },
    wiresOf: watch.wiresOf,
    recording,
    onRunning: watch.onRunning,
    onExit: (machine, code, reason) => {
      const exit = { code, reason }
      if (mayEnd(machine, exit) || hasLeft(cluster, machine, exit)) faults.onExit(machine, exit)
      else fail({ invariant: 'nodes end only when they must', text: `${machine.id} ended with code ${code}: ${reason}` })
    },
  })
  const workload = createWorkload({
    options: options.workload,
    clients: Array.from({ length: options.workload.clients }, (_, i) => ({ number: i + 1, ...cluster.connectClient(`c${i + 1}`) })),
    nodes: () => cluster.machines.filter(({ isInUse }) => isInUse).map(({ id }) => id), shards: options.shards,
    timeline, random: createRandom(random.uint32()),
    onCompleted: (operation) => {
      trace.line(`c${operation.client}`, 'completed', describeOperation(operation))
      marks.onCompleted(operation)
    },
  })
  const faults = createFaults(options, {
    cluster, network, timeline, trace, random: createRandom(random.uint32()), leaders: () => leadersIn(cluster), newestMap: watch.newestMap,
    lostAfterMs: options.lostAfterMs,
  })
  timeline.afterEach((process) => {
    trace.step(process?.name ?? '')
    watch.afterEvent(process)
  })
  return { options, timeline, trace, network, cluster, watch, workload, faults, marks, violation: () => violation, fail }
}

/** Snapshots at rest are looked for where the run has them on its own scale. */
const restOf = ({ shardLimits: { restMs, restBytesMax, restLogBytesMin }, snapshotLogBytes }: SimOptions): RestLimits | null =>
  (restMs === undefined || restBytesMax === undefined || restLogBytesMin === undefined ? null
    : { restMs, restBytesMax, restLogBytesMin, snapshotLogBytesMin: snapshotLogBytes })

const queueLimitsOf = ({ shardLimits, raftLimits }: SimOptions): QueueLimits => ({
  pendingOperationsMax: shardLimits.pendingOperationsMax ?? defaultShardLimits.pendingOperationsMax,
  pendingBytesMax: shardLimits.pendingBytesMax ?? defaultShardLimits.pendingBytesMax,
  uncommittedBytesMax: raftLimits.uncommittedBytesMax ?? raftLimitDefaults.uncommittedBytesMax,
})

const isHarmedIn = ({ machines }: Cluster) => (node: string, group: GroupId, replica: ReplicaId): boolean =>
  machines.some((machine) => machine.id === node && isHarmed(machine, group, replica))

/**
 * A drain and a failed sync excuse what they end by, and either may have come after the other; whatever else a story says, the whole life.
 * Damage excuses nobody: a node whose disk was damaged goes on without what it can not trust.
 */
const mayEnd = ({ mayExit }: Machine, { code, reason }: Exit): boolean =>
  (mayExit === 'drain' || mayExit === 'syncError' ? code === 0 || reason.includes('EIO') : mayExit !== '')

const leadersIn = ({ machines }: Cluster): string[] =>
  machines.filter(({ node }) => node?.parts()?.host.all().some(({ raft }) => raft.role() === 'leader')).map(({ id }) => id)

const describeMail = ({ to, shard, message }: SentMail): string => {
  const fields = Object.entries(message).map(([name, value]: [string, unknown]) => `${name}=${plainText(value)}`)
  return `${to} shard=${shard} ${fields.join(' ')}`
}

const plainText = (value: unknown): string => {
  if (value instanceof Uint8Array) return `${value.length} bytes`
  return Array.isArray(value) ? `${value.length} items` : String(value)
}
