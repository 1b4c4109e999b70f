/**
 * What people change about the cluster's map and think better of, beside what mapFaults.ts has: drains that are undone or forced, nodes
 * that are removed, another number of replicas, other zones. Drawn from a stream of their own (faults.ts).
 *
 * Fewer replicas and damaged disks do not go together: nobody who gives up replicas can know that what is left is damaged. So in a run one
 * of the two comes first, and the other never.
 */

import { between, chance, pick } from '../actors/kernel/random.ts'
import { REPLICATION_FACTORS, activeNodes, hostedOn, presentNodes } from '../actors/topology/clusterState.ts'
import { hasDamage } from './atlas.ts'
import { ask } from './mapFaults.ts'
import type { Cluster, Machine } from './cluster.ts'
import type { FaultAction, FaultContext } from './faultContext.ts'
import type { MapChangeKind } from './options.ts'

/** Long enough for some replicas to have moved, and for a small node to have left. */
const UNDONE_MS_MAX = 3_000
/** A node that joins is without replicas for a moment only. */
const REMOVAL_EVERY_MS = 100
const REMOVAL_TRIES = 30
const ZONES = ['', 'east', 'west']

/** Whether replicas may be given up; if so, no disk is damaged from now on. */
const mayThin = (cluster: Cluster): boolean => {
  if (cluster.machines.some(hasDamage)) return false
  cluster.isThinned = true
  return true
}

const drain = (context: FaultContext, machine: Machine, mayForce: boolean): void => {
  ask(context, machine, (state) => {
    const node = pick(context.random, activeNodes(state))?.id
    if (node === undefined) return undefined
    return { kind: 'drainNode', node, isForced: mayForce && mayThin(context.cluster) }
  })
}

const undoDrain: FaultAction = (context, machine) => {
  const { random, timeline } = context
  drain(context, machine, chance(random, 0.5))
  timeline.schedule(between(random, 0, UNDONE_MS_MAX), () => ask(context, machine, (state) => {
    const node = pick(random, presentNodes(state).filter(({ state: at }) => at === 'draining'))?.id
    return node === undefined ? undefined : { kind: 'activateNode', node }
  }))
}

const forceDrain: FaultAction = (context, machine) => drain(context, machine, true)

/** Nobody who carries something can be removed, so somebody who comes is waited for. */
const removeIdle: FaultAction = (context, machine) => {
  const { random, timeline } = context
  let isAsked = false
  const tryNow = (): void => ask(context, machine, (state) => {
    const node = pick(random, activeNodes(state).filter(({ id }) => hostedOn(state, id).length === 0))?.id
    if (node === undefined || isAsked) return undefined
    isAsked = true
    return { kind: 'removeNode', node }
  })
  for (let i = 0; i < REMOVAL_TRIES; i += 1) timeline.schedule(i * REMOVAL_EVERY_MS, tryNow)
}

const setReplicas: FaultAction = (context, machine) => {
  ask(context, machine, (state) => {
    const { replicationFactor: now } = state
    const most = activeNodes(state).length
    const wanted = pick(context.random, REPLICATION_FACTORS.filter((replicas) => replicas !== now && replicas <= most))
    if (wanted === undefined || (wanted < now && !mayThin(context.cluster))) return undefined
    return { kind: 'setReplicationFactor', replicationFactor: wanted }
  })
}

const rezone: FaultAction = (context, machine) => {
  ask(context, machine, (state) => {
    const node = pick(context.random, presentNodes(state))?.id
    const zone = pick(context.random, ZONES)
    return node === undefined || zone === undefined ? undefined : { kind: 'setZone', node, zone }
  })
}

export const mapChanges: Readonly<Record<MapChangeKind, FaultAction>> = { undoDrain, forceDrain, removeIdle, setReplicas, rezone }
