/** The meta group's log entries and the state in its snapshots: version and JSON, in the one way there is. */

import { between, chance, shuffle } from '../../actors/kernel/random.ts'
import { decodeCommand, decodeState, encodeCommand, encodeState } from '../../actors/topology/codec.ts'
import { moveSteps } from '../../actors/topology/clusterState.ts'
import { clusterId, nodeId, replicaId } from '../../topology/ids.ts'
import { drawHex, drawList, drawWhole, drawWord, one } from '../draw.ts'
import { refused } from '../target.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { ClusterNode, ClusterState, HistoryEvent, Placement } from '../../actors/topology/clusterState.ts'
import type { MetaCommand, Wish } from '../../actors/topology/protocol.ts'
import type { NodeId, ReplicaId, ShardId } from '../../topology/ids.ts'
import type { Target } from '../target.ts'

const words = [
  'null', '[]', '{}', '""', '-1', '1e999', '0.5', 'true', '"kind":', '"prefer"', '"pause"', '"node":', '"replicas":', '"move":',
  '"levels":', '"level":', '"state":', '"nodes":', '"shards":', '"meta":', '"isBalanced":true', '"n1:1"', '"__proto__":', ',', '\u0001',
  '\u0002',
]

const NAMES = ['n1', 'n2', 'n3', 'n4'].map(nodeId)
/** Below it are all generations of a drawn state. */
const GENERATIONS = 50

const drawReplica = (random: Random, node = one(random, NAMES)): ReplicaId => replicaId(node, between(random, 1, GENERATIONS - 1))

const drawShard = (random: Random): ShardId => between(random, 0, 15) as ShardId

const drawWish = (random: Random): Wish => {
  const node = one(random, NAMES)
  const [flag, number] = [chance(random, 0.5), drawWhole(random)]
  return one<Wish>(random, [
    { kind: 'addNode', node, weight: number, zone: drawWord(random, 4) },
    { kind: 'addNode', node, weight: number, zone: '', levels: { min: 1, max: number } },
    { kind: 'drainNode', node, isForced: flag }, { kind: 'activateNode', node }, { kind: 'removeNode', node },
    { kind: 'setWeight', node, weight: number }, { kind: 'setZone', node, zone: drawWord(random, 32) },
    { kind: 'setReplicationFactor', replicationFactor: number },
    { kind: 'raiseLevel', level: number, knownBy: drawList(random, 4, (r) => one(r, NAMES)) },
    { kind: 'setBalance', isOn: flag }, { kind: 'pause' }, { kind: 'resume' },
    {
      kind: 'beginMove', group: flag ? 'meta' : drawShard(random), add: flag ? node : null, remove: drawReplica(random),
      isPlanned: chance(random, 0.5),
    },
    { kind: 'promote', move: number }, { kind: 'cancel', move: number },
    { kind: 'finish', move: number, result: flag ? 'moved' : 'undone' },
    { kind: 'prefer', preferences: drawList(random, 3, (r) => ({ shard: drawShard(r), replicas: drawList(r, 3, (s) => drawReplica(s)) })) },
  ])
}

const bytesOf = (command: MetaCommand): Uint8Array => {
  const encoded = encodeCommand(command)
  if ('reason' in encoded) throw new Error(`a command that was drawn or decoded has no bytes: ${encoded.reason}`)
  return encoded
}

export const metaCommand: Target = {
  name: 'meta command', share: 3, isCanonical: true, words,
  example: (random) => bytesOf({
    ...drawWish(random), expectedEpoch: drawWhole(random), at: drawWhole(random), by: drawWord(random, 9),
    request: one(random, ['', drawHex(random, 16)]),
  }),
  decode: (bytes) => {
    const command = decodeCommand(bytes)
    return 'reason' in command ? refused(command.reason) : { ok: true, shape: command.kind, again: bytesOf(command), value: command }
  },
}

interface Drawing {
  readonly members: readonly NodeId[]
  lastMove: number
}

/** A group lives on some of the members, once on each. */
const drawPlacement = (random: Random, drawing: Drawing): Placement => {
  const { members } = drawing
  const replicas = shuffle(random, members).slice(0, between(random, 1, members.length)).map((node) => drawReplica(random, node))
  if (chance(random, 0.6)) return { replicas, move: null }
  drawing.lastMove += 1
  return { replicas, move: {
    id: drawing.lastMove, add: chance(random, 0.7) ? drawReplica(random, one(random, members)) : null,
    remove: chance(random, 0.7) ? one(random, replicas) : null, step: one(random, moveSteps), orderedAt: drawWhole(random),
  } }
}

const drawNode = (random: Random, id: NodeId): ClusterNode => ({
  id, weight: drawWhole(random), zone: one(random, ['', drawWord(random, 6)]), state: one(random, ['active', 'draining', 'left'] as const),
})

const drawEvent = (random: Random): HistoryEvent => ({
  epoch: drawWhole(random), at: drawWhole(random), by: drawWord(random, 6), what: `${drawWord(random, 6)} — done`, request: '',
  move: drawWhole(random),
})

const drawState = (random: Random): ClusterState => {
  const members = NAMES.slice(0, between(random, 1, NAMES.length))
  const drawing: Drawing = { members, lastMove: 0 }
  const shards = Array.from({ length: between(random, 1, 3) }, () => drawPlacement(random, drawing))
  const meta = drawPlacement(random, drawing)
  return {
    cluster: clusterId(drawHex(random, 16)), epoch: drawWhole(random), level: one(random, [1, 1, 2, 3]), shardCount: shards.length,
    replicationFactor: between(random, 1, 5), nextGeneration: GENERATIONS, nextMove: drawing.lastMove + 1, isPaused: chance(random, 0.5),
    isBalanced: chance(random, 0.5), nodes: members.map((id) => drawNode(random, id)), shards, meta,
    history: drawList(random, 2, drawEvent),
  }
}

export const clusterState: Target = {
  name: 'cluster state', share: 2, isCanonical: true, words,
  example: (random) => encodeState(drawState(random)),
  decode: (bytes) => {
    const state = decodeState(bytes)
    if ('reason' in state) return refused(state.reason)
    const moves = [state.meta, ...state.shards].filter(({ move }) => move !== null).length
    const shape = `${Math.min(3, state.shardCount)} shards, ${Math.min(2, moves)} moves`
    return { ok: true, shape, again: encodeState(state), value: state }
  },
}
