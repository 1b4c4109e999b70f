/**
 * Bytes of the meta group: an entry's command, and the state that a snapshot holds.
 *
 *     bytes = version:u8 json:utf8                  the version is that of its own kind, commands and states apart
 *     a state of version 2 = {level, state}         once the layout level has been raised; at the first level version 1, the state alone
 *
 * There is one encoding of each value: fields in the order of their shape, no space, whole numbers. What decodes is checked field by
 * field and encodes to the same bytes again; anything else is refused with a reason, never thrown. Here it is checked what a value
 * is; what it means for this cluster (is there such a node?) is decided by `apply`, whose refusals everybody agrees on.
 */

import { SHARD_COUNT_MAX, isHex64, nodeOf } from '../../topology/ids.ts'
import { FIRST_LEVEL } from '../../topology/level.ts'
import { HISTORY_EVENTS_MAX, NODES_MAX, movesOf, placementOf, groupsOf } from './clusterState.ts'
import { count, flag, list, node, oneOf, orNull, record, replica, text } from './fields.ts'
import { BY_CHARACTERS_MAX, REQUEST_CHARACTERS_MAX } from './protocol.ts'
import type { ClusterId, ReplicaId, ShardId } from '../../topology/ids.ts'
import type { LevelRange } from '../../topology/level.ts'
import type { ClusterNode, ClusterState, GroupKey, HistoryEvent, Move, Placement } from './clusterState.ts'
import type { Check, Shape } from './fields.ts'
import type { CommandKind, CommandOf, MetaCommand, Preference } from './protocol.ts'

export interface Undecodable {
  readonly reason: string
  /** A later version of ShardKV wrote it. */
  readonly isNewer?: true
}

const COMMAND_VERSION = 1
const STATE_VERSION = 1
const LEVELED_VERSION = 2
/** All shards of the largest cluster in one command, each with the longest names. */
export const COMMAND_BYTES_MAX = 384 * 1_024
/** The largest cluster with the longest names and a full history. */
export const STATE_BYTES_MAX = 2 * 1_024 * 1_024
/** A replica of a group, and one more while it moves. */
const REPLICAS_MAX = 16
const NAME_CHARACTERS_MAX = 32
const WHAT_CHARACTERS_MAX = 1_024

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const shard: Check<ShardId> = (value) => {
  const number = count(value)
  return number !== undefined && number < SHARD_COUNT_MAX ? number as ShardId : undefined
}
const group: Check<GroupKey> = (value) => (value === 'meta' ? value : shard(value))
const replicas = list(replica, REPLICAS_MAX)
const zone = text(NAME_CHARACTERS_MAX)

const base: Shape<Pick<MetaCommand, 'expectedEpoch' | 'at' | 'by' | 'request'>> = {
  expectedEpoch: count, at: count, by: text(BY_CHARACTERS_MAX), request: text(REQUEST_CHARACTERS_MAX),
}

const levels = record<LevelRange>({ min: count, max: count })
const addNode = record<Omit<CommandOf<'addNode'>, 'levels'>>({ kind: oneOf('addNode'), ...base, node, weight: count, zone })
const addNodeOfLevels = record<CommandOf<'addNode'> & { readonly levels: LevelRange }>({
  kind: oneOf('addNode'), ...base, node, weight: count, zone, levels,
})

type CommandChecks = { readonly [Kind in CommandKind]: Check<CommandOf<Kind>> }

const commands: CommandChecks = {
  addNode: (value) => addNode(value) ?? addNodeOfLevels(value),
  drainNode: record({ kind: oneOf('drainNode'), ...base, node, isForced: flag }),
  activateNode: record({ kind: oneOf('activateNode'), ...base, node }),
  removeNode: record({ kind: oneOf('removeNode'), ...base, node }),
  setWeight: record({ kind: oneOf('setWeight'), ...base, node, weight: count }),
  setZone: record({ kind: oneOf('setZone'), ...base, node, zone }),
  setReplicationFactor: record({ kind: oneOf('setReplicationFactor'), ...base, replicationFactor: count }),
  raiseLevel: record({ kind: oneOf('raiseLevel'), ...base, level: count, knownBy: list(node, NODES_MAX) }),
  setBalance: record({ kind: oneOf('setBalance'), ...base, isOn: flag }),
  pause: record({ kind: oneOf('pause'), ...base }),
  resume: record({ kind: oneOf('resume'), ...base }),
  beginMove: record({ kind: oneOf('beginMove'), ...base, group, add: orNull(node), remove: orNull(replica), isPlanned: flag }),
  promote: record({ kind: oneOf('promote'), ...base, move: count }),
  finish: record({ kind: oneOf('finish'), ...base, move: count, result: oneOf('moved', 'undone') }),
  cancel: record({ kind: oneOf('cancel'), ...base, move: count }),
  prefer: record({ kind: oneOf('prefer'), ...base, preferences: list(record<Preference>({ shard, replicas }), SHARD_COUNT_MAX) }),
}

const command: Check<MetaCommand> = (value) => {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? String(value.kind) : ''
  return Object.hasOwn(commands, kind) ? commands[kind as CommandKind](value) : undefined
}

const clusterId: Check<ClusterId> = (value) => (typeof value === 'string' && isHex64(value) ? value as ClusterId : undefined)

const move = record<Move>({
  id: count, add: orNull(replica), remove: orNull(replica), step: oneOf('adding', 'promoting', 'undoing'), orderedAt: count,
})
const placement = record<Placement>({ replicas, move: orNull(move) })
const member = record<ClusterNode>({ id: node, weight: count, zone, state: oneOf('active', 'draining', 'left') })
const event = record<HistoryEvent>({
  epoch: count, at: count, by: text(BY_CHARACTERS_MAX), what: text(WHAT_CHARACTERS_MAX), request: text(REQUEST_CHARACTERS_MAX), move: count,
})

/** A state says so only where load may move things: others are read by builds that know of no balance. */
type StoredState = Omit<ClusterState, 'level' | 'isBalanced'>
type BalancedState = StoredState & { readonly isBalanced: true }

/** Of a cluster at its first level: as every ShardKV with a meta group reads it, whether it knows of levels or not. */
const stateShape: Shape<StoredState> = {
  cluster: clusterId, epoch: count, shardCount: count, replicationFactor: count, nextGeneration: count, nextMove: count, isPaused: flag,
  nodes: list(member, NODES_MAX), shards: list(placement, SHARD_COUNT_MAX), meta: placement, history: list(event, HISTORY_EVENTS_MAX),
}
const plainState = record<StoredState>(stateShape)
const balancedState = record<BalancedState>({ ...stateShape, isBalanced: (value) => (value === true ? value : undefined) })
const state = (value: unknown): StoredState | BalancedState | undefined => plainState(value) ?? balancedState(value)

/** Of one that has been raised. */
const leveled = record<Leveled>({ level: count, state })

interface Leveled {
  readonly level: number
  readonly state: StoredState | BalancedState
}

/** The bytes, or why the command would not decode again: it may come from a person. */
export const encodeCommand = (value: MetaCommand): Uint8Array | Undecodable => {
  const checked = command(value)
  return checked === undefined ? { reason: `a "${value.kind}" command with a field that is missing, too many, or out of its limits` }
    : encode(COMMAND_VERSION, checked)
}

export const decodeCommand = (bytes: Uint8Array): MetaCommand | Undecodable =>
  decode(bytes, { what: 'command', version: COMMAND_VERSION, bytesMax: COMMAND_BYTES_MAX, check: command })

export const encodeState = ({ level, isBalanced, ...value }: ClusterState): Uint8Array => {
  const stored = isBalanced ? { ...value, isBalanced } : value
  const checked = state(stored) ?? stored
  return level === FIRST_LEVEL ? encode(STATE_VERSION, checked) : encode(LEVELED_VERSION, { level, state: checked })
}

export const decodeState = (bytes: Uint8Array): ClusterState | Undecodable => {
  const stored = bytes[0] === LEVELED_VERSION ? decodeLeveled(bytes) : decodeFirst(bytes)
  if ('reason' in stored) return stored
  const decoded = { isBalanced: false, ...stored }
  const broken = brokenRule(decoded)
  return broken === null ? decoded : { reason: `a cluster state in which ${broken}` }
}

const stateKind = { what: 'cluster state', bytesMax: STATE_BYTES_MAX }

type LeveledState = (StoredState | BalancedState) & { readonly level: number }

const decodeFirst = (bytes: Uint8Array): LeveledState | Undecodable => {
  const decoded = decode(bytes, { ...stateKind, version: STATE_VERSION, check: state })
  return 'reason' in decoded ? decoded : { ...decoded, level: FIRST_LEVEL }
}

const decodeLeveled = (bytes: Uint8Array): LeveledState | Undecodable => {
  const decoded = decode(bytes, { ...stateKind, version: LEVELED_VERSION, check: leveled })
  if ('reason' in decoded) return decoded
  return decoded.level === FIRST_LEVEL ? { reason: 'a cluster state that is not written in the one way there is' }
    : { ...decoded.state, level: decoded.level }
}

const encode = (version: number, value: object): Uint8Array => {
  const json = encoder.encode(JSON.stringify(value))
  const bytes = new Uint8Array(json.length + 1)
  bytes[0] = version
  bytes.set(json, 1)
  return bytes
}

interface Kind<T> {
  readonly what: string
  readonly version: number
  readonly bytesMax: number
  readonly check: Check<T>
}

const decode = <T extends object>(bytes: Uint8Array, { what, version, bytesMax, check }: Kind<T>): T | Undecodable => {
  if (bytes.length > bytesMax) return { reason: `a ${what} of ${bytes.length} bytes is above the limit of ${bytesMax}` }
  if (bytes[0] !== version) return unknownVersion(what, bytes[0])
  const value = check(parse(bytes.subarray(1)))
  if (value === undefined) return { reason: `not a ${what}` }
  return isSame(encode(version, value), bytes) ? value : { reason: `a ${what} that is not written in the one way there is` }
}

const unknownVersion = (what: string, version: number | undefined): Undecodable => {
  const reason = `a ${what} of version ${version ?? 'none'} is unknown: upgrade this node`
  return version !== undefined && version > LEVELED_VERSION ? { reason, isNewer: true } : { reason }
}

const parse = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(decoder.decode(bytes))
  } catch {
    return undefined
  }
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])

/** What no sequence of commands could have made, or null. */
const brokenRule = (decoded: ClusterState): string | null => {
  const { nodes, shards, shardCount, nextMove } = decoded
  if (shards.length !== shardCount || shardCount < 1) return 'shards are missing'
  if (decoded.level < FIRST_LEVEL) return 'there is no layout level'
  if (nodes.some(({ id }, i) => i > 0 && id <= (nodes[i - 1]?.id ?? ''))) return 'the nodes are not in order'
  const known = new Set<string>(nodes.map(({ id }) => id))
  const generations = { known, next: decoded.nextGeneration }
  for (const key of groupsOf(decoded)) {
    const one = placementOf(decoded, key)
    if (one === undefined || !isSound(one, generations)) return `the replicas of ${key} make no sense`
  }
  const ids = movesOf(decoded).map((found) => found.move.id)
  return new Set(ids).size === ids.length && ids.every((id) => id < nextMove) ? null : 'move ids are not as they were given'
}

const isSound = (one: Placement, { known, next }: { readonly known: ReadonlySet<string>, readonly next: number }): boolean => {
  const { replicas: present, move: under } = one
  const named: readonly ReplicaId[] = under === null || under.add === null ? present : [...present, under.add]
  const isKnown = named.every((id) => known.has(nodeOf(id)) && Number(id.slice(id.indexOf(':') + 1)) < next)
  const isApart = present.length > 0 && new Set(present.map(nodeOf)).size === present.length
  const isMove = under === null || under.remove === null || present.includes(under.remove)
  return isKnown && isApart && isMove
}
