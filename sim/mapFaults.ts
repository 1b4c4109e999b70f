/**
 * What people do to the cluster's map: nodes join, drain and leave, weights change, replicas are moved by hand and moves cancelled. Each
 * is a command to the meta group, asked of whichever node is at hand, refused or lost like any other; what comes of it is up to the actors.
 */

import { between, pick } from '../actors/kernel/random.ts'
import { HAS_LEFT } from '../actors/node/protocol.ts'
import { activeNodes, movesOf, nodeIn } from '../actors/topology/clusterState.ts'
import { nodeOf, shardId } from '../topology/ids.ts'
import { say } from './faultContext.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { Wish } from '../actors/topology/protocol.ts'
import type { Cluster, Machine } from './cluster.ts'
import type { Exit, FaultAction, FaultContext } from './faultContext.ts'

/** A person who moves things by hand has told the planner to rest, and lets it go on after a while. */
const PAUSE_MS_MAX = 8_000
const WEIGHT_MAX = 3
/** Where the meta group has lost its majority for good nobody is ever heard. */
const RESUME_TRIES = 60
const RESUME_EVERY_MS = 1_000

/** The newest map in force on any machine that runs. */
export const newestState = ({ machines }: Cluster): ClusterState | null => machines
  .map(({ node }) => node?.parts()?.live.state() ?? null)
  .reduce((newest, state) => (state !== null && state.epoch > (newest?.epoch ?? 0) ? state : newest), null)

/** Its node was drained, and has left the cluster, or says so. Whatever else ends one whose name the map calls gone is no leaving. */
export const hasLeft = (cluster: Cluster, { id }: Machine, { code, reason }: Exit): boolean => {
  const state = newestState(cluster)
  return state !== null && nodeIn(state, id)?.state === 'left' && (code === 0 || reason.includes(HAS_LEFT))
}

type Asking = Pick<FaultContext, 'timeline' | 'trace'>

/** Asks the node of this machine, which may not get it decided. */
export const ask = (context: Asking, machine: Machine, wish: (state: ClusterState) => Wish | undefined): void => {
  const { process } = machine
  context.timeline.arrive(process, () => {
    const state = machine.node?.parts()?.live.state()
    const wanted = state === undefined ? undefined : wish(state)
    if (state === undefined || wanted === undefined) return
    say(context, 'ask', `${machine.id}: ${JSON.stringify(wanted)}`)
    machine.node?.propose({ ...wanted, expectedEpoch: state.epoch, at: 1, by: 'somebody', request: '' }, (outcome) => {
      say(context, 'asked', `${machine.id}: ${outcome === null ? 'nobody decided' : outcome.kind}`)
    })
  })
}

/**
 * Whoever has paused the cluster, and was not heard when it was to go on, says so until it does: under a pause nothing is replaced. Nothing
 * happens when it is not paused.
 */
export const endPause = (context: Asking & Pick<FaultContext, 'cluster'>, machines: readonly Machine[]): void => {
  const tryNow = (attempt: number): void => {
    if (newestState(context.cluster)?.isPaused !== true) return
    const machine = machines[attempt % machines.length]
    if (machine !== undefined) ask(context, machine, () => ({ kind: 'resume' }))
    if (attempt < RESUME_TRIES) context.timeline.schedule(RESUME_EVERY_MS, () => tryNow(attempt + 1))
  }
  tryNow(0)
}

const join: FaultAction = (context) => {
  const { cluster, random } = context
  const joiner = pick(random, cluster.machines.filter(({ isInUse, isLost, node }) => !isInUse && !isLost && node === null))
  if (joiner === undefined) return
  say(context, 'join', joiner.id)
  cluster.join(joiner)
}

const leave: FaultAction = (context, machine) => {
  ask(context, machine, (state) => {
    const node = pick(context.random, activeNodes(state))?.id
    return node === undefined ? undefined : { kind: 'drainNode', node, isForced: false }
  })
}

const reweigh: FaultAction = (context, machine) => {
  ask(context, machine, (state) => {
    const node = pick(context.random, activeNodes(state))?.id
    return node === undefined ? undefined : { kind: 'setWeight', node, weight: between(context.random, 1, WEIGHT_MAX) }
  })
}

const moveByHand: FaultAction = (context, machine) => {
  const { random, timeline } = context
  ask(context, machine, () => ({ kind: 'pause' }))
  const ms = between(random, 0, PAUSE_MS_MAX)
  timeline.schedule(ms / 2, () => ask(context, machine, (state) => {
    const group = pick(random, [...state.shards.keys(), 'meta' as const])
    const placement = group === 'meta' ? state.meta : state.shards[group ?? 0]
    const remove = pick(random, placement?.replicas ?? []) ?? null
    const homes = activeNodes(state).map(({ id }) => id).filter((id) => placement?.replicas.every((replica) => nodeOf(replica) !== id))
    const add = pick(random, homes) ?? null
    if (group === undefined || add === null) return undefined
    return { kind: 'beginMove', group: group === 'meta' ? group : shardId(group), add, remove, isPlanned: false }
  }))
  timeline.schedule(ms, () => ask(context, machine, () => ({ kind: 'resume' })))
}

const cancelMove: FaultAction = (context, machine) => {
  ask(context, machine, (state) => {
    const found = pick(context.random, movesOf(state))
    return found === undefined ? undefined : { kind: 'cancel', move: found.move.id }
  })
}

export const mapFaults = { join, leave, reweigh, moveByHand, cancelMove } as const
