/**
 * The liveness phase: everything heals for a random majority, and the cluster must live again: every shard commits within COMMIT_MS_MAX,
 * and within AGREE_MS_MAX every live replica has the same state, and none is quarantined any more: what was damaged has been replaced. A
 * pause that is still in force is ended, since it would forbid that.
 * MAP_MS_MAX later at most every node holds the cluster map that was the newest by then.
 */

import { createRandom, shuffle } from '../actors/kernel/random.ts'
import { activeNodes, groupsOf, movesOf, nodeIn, placementOf, replicasWanted } from '../actors/topology/clusterState.ts'
import { hasDamage, isHarmed } from './atlas.ts'
import { NEWEST_MAP } from './invariants/newestMapEverywhere.ts'
import { endPause, newestState } from './mapFaults.ts'
import { lateMaps, traceLateMaps } from './mapLiveness.ts'
import { isElastic } from './options.ts'
import { shardOf } from '../topology/hash.ts'
import { nodeOf, shardId } from '../topology/ids.ts'
import { groupKeyOf } from '../topology/namedReplicas.ts'
import type { ClusterState, GroupKey } from '../actors/topology/clusterState.ts'
import type { NodeId, ReplicaId } from '../topology/ids.ts'
import type { Cluster, Machine } from './cluster.ts'
import type { Simulation } from './simulation.ts'

const COMMIT_MS_MAX = 30_000
const AGREE_MS_MAX = 120_000
/** Several beacons, and an answer to each of the peers that know it. */
const MAP_MS_MAX = 10_000
const POLL_MS = 100

export const runLiveness = (simulation: Simulation): void => {
  const { timeline, trace, cluster, workload, faults, options } = simulation
  const keep = drawSurvivors(simulation)
  trace.line('sim', 'heal', `${keep.map(({ id }) => id).join(' ')} live on`)
  traceLateMaps(simulation)
  faults.healAll(keep)
  endPause(simulation, keep)
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
  const late = lateMaps(simulation, keep)
  awaitTrue(simulation, {
    invariant: NEWEST_MAP, withinMs: MAP_MS_MAX, isTrue: () => late() === null,
    problem: () => `${late() ?? ''} ${MAP_MS_MAX} ms after all agreed`,
  })
  trace.line('sim', 'agreed', `at ${timeline.now().toFixed(0)} ms, ${cluster.machines.length} machines`)
}

interface Wanted {
  /** What is violated when it is not true in time; left out, that the healed majority lives. */
  readonly invariant?: string
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
      simulation.fail({ invariant: wanted.invariant ?? 'the healed majority lives', text: wanted.problem() })
      return
    }
    timeline.runUntil(timeline.now() + POLL_MS)
  }
}

const missing = (probed: ReadonlySet<number>, shards: number): number[] =>
  Array.from({ length: shards }, (_, shard) => shard).filter((shard) => !probed.has(shard))

/** Machines whose majorities can carry every shard: all, less as many as every shard can spare. */
const drawSurvivors = ({ cluster, options }: Simulation): Machine[] => {
  const random = createRandom(options.seed + 1)
  let keep = [...cluster.machines]
  // Whose majority a move needs is not drawn here: where members change or are replaced, everybody lives.
  if (isElastic(options) || cluster.machines.some(hasDamage)) return keep
  for (const candidate of shuffle(random, cluster.machines)) {
    const left = keep.filter((machine) => machine !== candidate)
    if (carriesEveryShard(cluster, left)) keep = left
    if (random.uint32() % 2 === 0) break
  }
  return keep
}

const carriesEveryShard = (cluster: Cluster, machines: readonly Machine[]): boolean =>
  (cluster.genesis[0]?.replicas ?? []).every((replicas) => {
    const good = machines.filter(({ id }) => replicas.some((replica) => nodeOf(replica) === id))
    return good.length > replicas.length / 2
  })

const keyInShard = (shard: number, shards: number): string => {
  for (let i = 0; ; i += 1) if (shardOf(`probe${i}`, shards) === shard) return `probe${i}`
}

/** Null when every live replica has applied all that is committed, their states are equal, and what was damaged has been replaced. */
export const disagreement = ({ watch, cluster }: Simulation, keep: readonly Machine[]): string | null => {
  const state = newestState(cluster)
  if (state === null) return 'no node runs'
  const [moving] = movesOf(state)
  if (moving !== undefined) return `move ${moving.move.id} of ${moving.group} has not ended`
  const ill = state.isPaused ? undefined : damagedIn(state, keep) ?? lostIn(state, keep)
  if (ill !== undefined) return `${ill} has not been replaced`
  for (const ledger of watch.ledgers) {
    const hosts: ReadonlySet<NodeId> = new Set(state.shards[ledger.shard]?.replicas.map(nodeOf))
    const hashes = new Set<string>()
    for (const machine of keep) {
      const { id, node } = machine
      if (!hosts.has(id) || machine.isLost) continue
      // A node that still opens its log has no replicas yet: it is to have them.
      const replica = node?.parts()?.host.of(shardId(ledger.shard))
      if (replica?.raft.status().quarantined !== undefined && isHarmed(machine, ledger.shard, replica.id)) continue
      const applied = replica?.actor.status().appliedIndex ?? 0
      const committed = ledger.lines.length
      if (replica === undefined || applied !== committed) {
        return `${id} has applied ${applied} of ${committed} entries of shard ${ledger.shard}`
      }
      hashes.add(replica.actor.stateHash())
    }
    if (hashes.size > 1) return `replicas of shard ${ledger.shard} have different states at index ${ledger.lines.length}`
  }
  return null
}

/** A replica on a lost disk whose place somebody who runs could take. */
const lostIn = (state: ClusterState, machines: readonly Machine[]): ReplicaId | undefined => {
  const lost = machines.filter(({ isLost }) => isLost).map(({ id }) => id)
  return groupsOf(state).flatMap((group) =>
    (isAnyFree(state, group, machines) ? replicasIn(state, group).filter((replica) => lost.includes(nodeOf(replica))) : []))[0]
}

/**
 * A damaged replica is replaced on its own node. Where that drains another that runs takes its place, or nobody if enough are left without
 * it; otherwise it is held back there (plan.ts, `heldBack`).
 */
const damagedIn = (state: ClusterState, machines: readonly Machine[]): ReplicaId | undefined =>
  machines.flatMap(({ node }) => node?.parts()?.host.damaged() ?? [])
    .find(({ id, group }) => nodeIn(state, nodeOf(id))?.state !== 'draining' || !isHeldBack(state, groupKeyOf(group), machines))?.id

const isHeldBack = (state: ClusterState, group: GroupKey, machines: readonly Machine[]): boolean =>
  replicasIn(state, group).length - 1 < replicasWanted(state, group, activeNodes(state).length) && !isAnyFree(state, group, machines)

/** Whether an active node runs that has no replica of the group. */
const isAnyFree = (state: ClusterState, group: GroupKey, machines: readonly Machine[]): boolean => {
  const running = machines.filter(({ node }) => node !== null).map(({ id }) => id)
  return activeNodes(state).some(({ id }) => running.includes(id) && !replicasIn(state, group).some((replica) => nodeOf(replica) === id))
}

const replicasIn = (state: ClusterState, group: GroupKey): readonly ReplicaId[] => placementOf(state, group)?.replicas ?? []
