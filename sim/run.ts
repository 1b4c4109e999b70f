/**
 * One run of one seed: a safety phase under faults, then everything heals for a majority and the cluster must
 * live again, then the books are checked.
 *
 *   safety ──▶ heal a random majority ──▶ every shard commits within COMMIT_MS_MAX ──▶ replicas agree within AGREE_MS_MAX
 *          ──▶ read every key ──▶ history against log, exactly once, linearizable
 *
 * Invariants (sim/invariants) hold after every event of all phases. The first problem ends the run.
 */

import { createRandom, shuffle } from '../actors/kernel/random.ts'
import { shardOf } from '../topology/hash.ts'
import { nodeOf } from '../topology/ids.ts'
import { createTimeline } from './clock.ts'
import { createCluster } from './cluster.ts'
import { checkExactlyOnce } from './exactlyOnce.ts'
import { createFaults } from './faults.ts'
import { describeOperation } from './history.ts'
import { checkLinearizability } from './linearizability.ts'
import { createNetwork } from './network.ts'
import { describeOptions } from './options.ts'
import { settleHistory } from './settle.ts'
import { createTrace } from './trace.ts'
import { createWatch } from './watch.ts'
import { createWorkload } from './workload.ts'
import type { Cluster, Machine } from './cluster.ts'
import type { Faults } from './faults.ts'
import type { ShardLedger } from './ledger.ts'
import type { Network } from './network.ts'
import type { SimOptions } from './options.ts'
import type { Timeline } from './clock.ts'
import type { Trace } from './trace.ts'
import type { Violation, Watch } from './watch.ts'
import type { Workload } from './workload.ts'

const COMMIT_MS_MAX = 30_000
const AGREE_MS_MAX = 120_000
const POLL_MS = 100

export interface RunResult {
  readonly seed: number
  readonly violation: Violation | null
  readonly traceHash: string
  readonly trace: readonly string[]
  readonly figures: RunFigures
}

export interface RunFigures {
  readonly virtualMs: number
  readonly events: number
  readonly operations: number
  readonly acknowledged: number
  readonly committed: number
  readonly faults: number
}

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
  readonly violation: () => Violation | null
  readonly fail: (violation: Violation) => void
}

export interface SimulationInput {
  readonly options: SimOptions
  readonly onLine?: (line: string) => void
}

export const createSimulation = ({ options, onLine }: SimulationInput): Simulation => {
  const timeline = createTimeline()
  const random = createRandom(options.seed)
  const trace = createTrace({ now: timeline.now, ...(onLine === undefined ? {} : { onLine }) })
  const network = createNetwork(options.network, createRandom(random.uint32()), timeline.now)
  let violation: Violation | null = null
  const fail = (found: Violation): void => {
    if (violation !== null) return
    violation = found
    trace.line('sim', 'violation', `${found.invariant}: ${found.text}`)
    timeline.stop()
  }
  const watch = createWatch({
    shards: options.shards,
    now: timeline.now,
    machineOf: (name) => cluster.machines.find(({ id }) => id === name),
    onViolation: fail,
    ...(options.isVerbose ? { onMail: (mail) => trace.line(nodeOf(mail.from), 'mail', `${mail.to} shard=${mail.shard} ${textOf(mail.message)}`) } : {}),
  })
  const cluster: Cluster = createCluster({
    options, timeline, network, trace, random: createRandom(random.uint32()),
    tap: { sent: watch.onSent, heard: watch.onHeard },
    onRunning: watch.onRunning,
    onExit: (machine, code, reason) => {
      if (machine.mayExit !== '' || machine.isDamaged) faults.onExit(machine, reason)
      else fail({ invariant: 'nodes end only when they must', text: `${machine.id} ended with code ${code}: ${reason}` })
    },
  })
  const workload = createWorkload({
    options: options.workload,
    clients: Array.from({ length: options.workload.clients }, (_, i) => ({ number: i + 1, ...cluster.connectClient(`c${i + 1}`) })),
    timeline, random: createRandom(random.uint32()),
    onCompleted: (operation) => trace.line(`c${operation.client}`, 'completed', describeOperation(operation)),
  })
  const faults = createFaults({
    options, cluster, network, timeline, trace, random: createRandom(random.uint32()), leader: () => leaderIn(cluster),
  })
  timeline.afterEach((process) => {
    trace.step(process?.name ?? '')
    watch.afterEvent(process)
  })
  return { options, timeline, trace, network, cluster, watch, workload, faults, violation: () => violation, fail }
}

export const runSeed = (options: SimOptions, onLine?: (line: string) => void): RunResult => {
  const simulation = createSimulation({ options, ...(onLine === undefined ? {} : { onLine }) })
  const { timeline, trace, cluster, workload, faults } = simulation
  trace.line('sim', 'seed', `${options.seed} ${describeOptions(options)}`)
  try {
    for (const machine of cluster.machines) cluster.start(machine)
    workload.start()
    faults.start()
    timeline.runUntil(options.safetyMs)
    workload.stop()
    if (simulation.violation() === null) runLiveness(simulation)
    if (simulation.violation() === null) checkBooks(simulation)
  } catch (error) {
    simulation.fail({ invariant: 'nothing throws', text: error instanceof Error ? error.stack ?? error.message : String(error) })
  }
  trace.line('sim', 'end', simulation.violation() === null ? 'all is well' : 'failed')
  return {
    seed: options.seed,
    violation: simulation.violation(),
    traceHash: trace.hash(),
    trace: trace.lines(),
    figures: figuresOf(simulation),
  }
}

const figuresOf = ({ timeline, workload, watch, faults }: Simulation): RunFigures => ({
  virtualMs: timeline.now(),
  events: timeline.events(),
  operations: workload.history().length,
  acknowledged: workload.acknowledged(),
  committed: watch.ledgers.reduce((sum, { lines }) => sum + lines.length, 0),
  faults: faults.injected(),
})

const runLiveness = (simulation: Simulation): void => {
  const { timeline, trace, cluster, workload, faults, options } = simulation
  const keep = drawSurvivors(simulation)
  trace.line('sim', 'heal', `${keep.map(({ id }) => id).join(' ')} live on`)
  faults.healAll(keep)
  const probed = new Set<number>()
  for (let shard = 0; shard < options.shards; shard += 1) {
    workload.probe(keyInShard(shard, options.shards), () => probed.add(shard))
  }
  awaitTrue(simulation, {
    withinMs: COMMIT_MS_MAX,
    isTrue: () => probed.size === options.shards,
    problem: () => `shards ${missing(probed, options.shards).join(', ')} commit nothing ${COMMIT_MS_MAX} ms after healing`,
  })
  awaitTrue(simulation, {
    withinMs: AGREE_MS_MAX,
    isTrue: () => workload.inFlight() === 0 && disagreement(simulation, keep) === null,
    problem: () => disagreement(simulation, keep) ?? `${workload.inFlight()} operations are still unanswered`,
  })
  trace.line('sim', 'agreed', `at ${timeline.now().toFixed(0)} ms, ${cluster.machines.length} machines`)
}

interface Wanted {
  readonly withinMs: number
  readonly isTrue: () => boolean
  readonly problem: () => string
}

/** Runs until it is true or the deadline has passed, which is a failure. */
export const awaitTrue = (simulation: Simulation, wanted: Wanted): void => {
  const { timeline } = simulation
  const deadline = timeline.now() + wanted.withinMs
  while (!timeline.isStopped() && !wanted.isTrue()) {
    if (timeline.now() >= deadline) {
      simulation.fail({ invariant: 'the healed majority lives', text: wanted.problem() })
      return
    }
    timeline.runUntil(timeline.now() + POLL_MS)
  }
}

const missing = (probed: ReadonlySet<number>, shards: number): number[] =>
  Array.from({ length: shards }, (_, shard) => shard).filter((shard) => !probed.has(shard))

/** Machines whose majorities can carry every shard: all, less as many as every shard can spare. Damaged ones do not count. */
const drawSurvivors = ({ cluster, options }: Simulation): Machine[] => {
  const random = createRandom(options.seed + 1)
  let keep = [...cluster.machines]
  for (const candidate of shuffle(random, cluster.machines)) {
    const left = keep.filter((machine) => machine !== candidate)
    if (carriesEveryShard(cluster, left)) keep = left
    if (random.uint32() % 2 === 0) break
  }
  return keep
}

const carriesEveryShard = (cluster: Cluster, machines: readonly Machine[]): boolean =>
  (cluster.genesis[0]?.replicas ?? []).every((replicas) => {
    const good = machines.filter(({ id, isDamaged }) => !isDamaged && replicas.some((replica) => nodeOf(replica) === id))
    return good.length > replicas.length / 2
  })

const keyInShard = (shard: number, shards: number): string => {
  for (let i = 0; ; i += 1) if (shardOf(`probe${i}`, shards) === shard) return `probe${i}`
}

/** Null when every live, unharmed replica has applied all that is committed, and their states are equal. */
export const disagreement = ({ watch }: Simulation, keep: readonly Machine[]): string | null => {
  for (const ledger of watch.ledgers) {
    const hashes = new Set<string>()
    for (const { id, node, isDamaged } of keep) {
      const replica = node?.parts()?.host.of(ledger.shard)
      if (isDamaged || (node !== null && node.parts() !== null && replica === undefined)) continue
      const applied = replica?.actor.status().appliedIndex ?? 0
      if (replica === undefined || applied !== ledger.lines.length) return `${id} has applied ${applied} of ${ledger.lines.length} entries of shard ${ledger.shard}`
      hashes.add(replica.actor.stateHash())
    }
    if (hashes.size > 1) return `replicas of shard ${ledger.shard} have different states at index ${ledger.lines.length}`
  }
  return null
}

const checkBooks = (simulation: Simulation): void => {
  const { workload, watch, options } = simulation
  let finals: ReadonlyMap<string, string | null> | null = null
  workload.readAll((values) => { finals = values })
  awaitTrue(simulation, { withinMs: COMMIT_MS_MAX, isTrue: () => finals !== null, problem: () => 'the final reads are not answered' })
  if (simulation.violation() !== null || finals === null) return
  const ledgerOf = (key: string): ShardLedger => watch.ledgers[shardOf(hashTokenOf(key), options.shards)] as ShardLedger
  const settled = settleHistory(workload.history(), ledgerOf)
  const problems = [
    ...workload.surprises(), ...settled.problems,
    ...checkExactlyOnce({ history: settled.history, finals, repeats: workload.repeats() }),
  ]
  const [first] = problems
  if (first !== undefined) simulation.fail({ invariant: 'history agrees with the log', text: first })
  const verdict = checkLinearizability(settled.history)
  if (verdict.kind === 'tooHard') simulation.fail({ invariant: 'the checker finishes', text: `key ${verdict.key} took ${verdict.steps} steps` })
  if (verdict.kind === 'violation') {
    simulation.fail({ invariant: 'linearizable', text: [`key ${verdict.key}`, ...verdict.operations.map(describeOperation)].join('\n  ') })
  }
}

/** What decides a key's shard: its partition when it has one. */
export const hashTokenOf = (key: string): string => (key.startsWith('{') ? key.slice(1, key.indexOf('}')) : key)

const leaderIn = (cluster: Cluster): string | undefined =>
  cluster.machines.find(({ node }) => node?.parts()?.host.all().some(({ raft }) => raft.role() === 'leader'))?.id

const textOf = (message: object): string => Object.entries(message).map(([name, value]: [string, unknown]) =>
  `${name}=${value instanceof Uint8Array ? `${value.length} bytes` : Array.isArray(value) ? `${value.length} items` : String(value)}`).join(' ')
