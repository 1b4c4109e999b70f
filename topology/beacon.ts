/**
 * The beacon: each node says once a second, and whenever its leaderships change, who it is and which shards it leads
 * (`skv.<cluster>.map.all.<self>`). Others learn leaders of shards they do not host, who is alive enough to be handed a leadership, which
 * of its replicas could not serve yet, which layouts its build knows, where its process can be reached, which prefix it serves, and whether
 * another process has spoken under their own name.
 *
 * Everything here is a hint: of two claims to one shard the newer term wins, and a wrong hint costs a refused forward, never data.
 * Of two processes with one name the younger stops; started at the same millisecond, the greater boot id does. So a node whose data
 * connection is down goes on saying that its process lives, and that it is mute: it counts for nothing else. But a beacon may
 * come late, from a life that is over: whether the older one lives is asked (topology/twinCheck.ts).
 */

import { prefixProblem } from '../bus/subjects.ts'
import { addressesIn } from './addresses.ts'
import { META_GROUP, generationOf, isHex64, nodeOf, replicaId } from './ids.ts'
import { FIRST_LEVEL } from './level.ts'
import { nodeStates } from './report.ts'
import type { NodeAddresses } from './addresses.ts'
import type { BootId, NodeId, ReplicaId, ShardId } from './ids.ts'
import type { LevelRange } from './level.ts'
import type { DamagedReplica } from './knownReplicas.ts'
import type { NodeState } from './report.ts'

export const BEACON_INTERVAL_MS = 1_000
/** How long a node counts as alive after its last beacon. */
export const ALIVE_FOR_MS = 3 * BEACON_INTERVAL_MS
/** A node has one replica of a group. */
const GROUPS_MAX = META_GROUP + 1

export interface BeaconMessage {
  readonly boot: BootId
  readonly startedAtMs: number
  readonly state: NodeState
  /** Of the cluster map in force there: whoever has an older one asks for it (topology/mapSync.ts). */
  readonly epoch: number
  /** The layout levels that this build knows; absent from a node of before there were levels. */
  readonly levels?: LevelRange
  /** Absent where nobody has told the process, and from nodes of before they were told. */
  readonly addresses?: NodeAddresses
  /** The public prefix that it serves (topology/prefixWatch.ts); absent from nodes of before it was told. */
  readonly prefix?: string
  /** [shard, term] pairs of what this node leads and serves. */
  readonly leads: readonly (readonly [number, number])[]
  /** [group, generation] pairs of its replicas that count for nothing and wait to be replaced. */
  readonly damaged: readonly (readonly [number, number])[]
  /**
   * [shard, generation] pairs of its replicas whose state is being loaded: they could serve nothing as leaders. Absent where there is none,
   * and from nodes of before this was told.
   */
  readonly loading?: readonly (readonly [number, number])[]
  /** Its data connection is down: it is of no use now, and says only that its process lives. */
  readonly mute?: true
}

export interface LeaderHint {
  readonly node: NodeId
  readonly term: number
}

/** A process, by what it has last said of itself, and when. */
interface Heard {
  readonly message: BeaconMessage
  readonly heardAt: number
}

interface Peer extends Heard {
  readonly firstHeardAt: number
}

export interface Beacon {
  /** Takes a decoded beacon; `older` when it is of another process with this node's name that started before this one. */
  readonly heard: (from: NodeId, message: BeaconMessage, now: number) => 'noted' | 'older'
  /** Null when nobody is known, or who was known has been silent too long to be worth a forward. */
  readonly leaderOf: (shard: ShardId, now: number) => LeaderHint | null
  /** When the node was last heard; undefined for one that never was. */
  readonly heardAt: (node: NodeId) => number | undefined
  /** What every node but this one has last said of its own replicas, by the elder process of its name, sorted by node. */
  readonly damaged: () => readonly DamagedReplica[]
  /** Serving where this node's clients ask, and heard for a while without a break: fit to be handed a leadership. */
  readonly isSteady: (node: NodeId, now: number) => boolean
  /** Its node said, when last heard, that this replica is loading its state. */
  readonly isLoading: (shard: ShardId, replica: ReplicaId) => boolean
  /** What a node that is steady says of its build. */
  readonly levelsOf: (node: NodeId, now: number) => LevelRange | undefined
  /** Whether the node is heard, and its build has layout levels. */
  readonly tellsLevels: (node: NodeId, now: number) => boolean
  /** As the node said last, however long ago: of one that is down, where it was. */
  readonly addressesOf: (node: NodeId) => NodeAddresses | undefined
  /** Of the others that serve or are about to, and are heard: which prefix each says, sorted by node. */
  readonly prefixes: (now: number) => readonly { readonly node: NodeId; readonly prefix: string }[]
}

export interface BeaconSelf {
  readonly node: NodeId
  readonly boot: BootId
  readonly startedAtMs: number
  readonly prefix: string
}

export const createBeacon = (self: BeaconSelf): Beacon => {
  const peers = new Map<NodeId, Peer>()
  /** Of the processes that were heard lately under a name, the one that started first. */
  const elders = new Map<NodeId, Heard>()
  const leaders = new Map<number, LeaderHint>()
  const noteLeaders = (from: NodeId, message: BeaconMessage): void => {
    const leads = new Map(message.leads)
    for (const [shard, hint] of leaders) if (hint.node === from && !leads.has(shard)) leaders.delete(shard)
    for (const [shard, term] of leads) {
      const known = leaders.get(shard)
      if (known === undefined || known.term <= term) leaders.set(shard, { node: from, term })
    }
  }
  const isSteady: Beacon['isSteady'] = (node, now) => {
    const peer = peers.get(node)
    if (peer === undefined || peer.message.state !== 'serving') return false
    if ((peer.message.prefix ?? self.prefix) !== self.prefix) return false
    return now - peer.heardAt < ALIVE_FOR_MS && now - peer.firstHeardAt >= ALIVE_FOR_MS
  }
  return {
    heard: (from, message, now) => {
      if (from === self.node) return isYounger(self, message) ? 'older' : 'noted'
      elders.set(from, elderOf(elders.get(from), { message, heardAt: now }))
      if (message.mute) return 'noted'
      const known = peers.get(from)
      const isNew = known === undefined || known.message.boot !== message.boot || now - known.heardAt > ALIVE_FOR_MS
      peers.set(from, { message, heardAt: now, firstHeardAt: isNew ? now : known.firstHeardAt })
      noteLeaders(from, message)
      return 'noted'
    },
    leaderOf: (shard, now) => {
      const hint = leaders.get(shard)
      if (hint === undefined || now - (peers.get(hint.node)?.heardAt ?? 0) >= ALIVE_FOR_MS) return null
      return hint
    },
    heardAt: (node) => peers.get(node)?.heardAt,
    damaged: () => [...elders].sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([node, { message }]) => message.damaged.map(([group, generation]) => ({ group, id: replicaId(node, generation) }))),
    isSteady,
    isLoading: (shard, replica) => peers.get(nodeOf(replica))?.message.loading
      ?.some(([group, generation]) => group === shard && generation === generationOf(replica)) ?? false,
    levelsOf: (node, now) => (isSteady(node, now) ? peers.get(node)?.message.levels : undefined),
    tellsLevels: (node, now) => {
      const peer = peers.get(node)
      return peer?.message.levels !== undefined && now - peer.heardAt < ALIVE_FOR_MS
    },
    addressesOf: (node) => peers.get(node)?.message.addresses,
    prefixes: (now) => [...peers].flatMap(([node, { message: { state, prefix }, heardAt }]) => {
      const isThere = now - heardAt < ALIVE_FOR_MS && (state === 'joining' || state === 'serving')
      return isThere && prefix !== undefined ? [{ node, prefix }] : []
    }).sort((a, b) => (a.node < b.node ? -1 : 1)),
  }
}

/**
 * Of two processes with one name, the younger has nothing to say of damage: a twin on an old copy of the directory is refused by its peers
 * and calls its replicas damaged, and the elder's, which have the same ids, would be given up. After a restart, what the process before
 * said holds for ALIVE_FOR_MS.
 */
const elderOf = (known: Heard | undefined, heard: Heard): Heard => {
  const isAlive = known !== undefined && heard.heardAt - known.heardAt < ALIVE_FOR_MS
  return isAlive && isYounger(heard.message, known.message) ? known : heard
}

const isYounger = (self: Pick<BeaconSelf, 'boot' | 'startedAtMs'>, other: BeaconMessage): boolean => {
  if (other.boot === self.boot) return false
  if (self.startedAtMs !== other.startedAtMs) return self.startedAtMs > other.startedAtMs
  return self.boot > other.boot
}

/** Checks the shape of a decoded beacon; null when it is none. */
export const beaconOf = (value: unknown): BeaconMessage | null => {
  if (typeof value !== 'object' || value === null) return null
  // A node from before there were maps to learn says no epoch, and one from before there was repair nothing of damage.
  const said = value as Record<string, unknown>
  const { boot, startedAtMs, state, epoch = 0, levels, addresses, prefix, damaged = [], loading = [], mute } = said
  const leads = mute === true && said.leads === null ? [] : said.leads
  if (typeof boot !== 'string' || !isHex64(boot) || !Number.isFinite(startedAtMs)) return null
  if (!nodeStates.includes(state as NodeState)) return null
  if (!Number.isSafeInteger(epoch) || Number(epoch) < 0) return null
  if (!Array.isArray(leads) || !leads.every(isPair)) return null
  if (!areReplicas(damaged) || !areReplicas(loading)) return null
  const known = levelsIn(levels)
  if (known === null || (mute !== undefined && mute !== true)) return null
  const reached = addressesIn(addresses)
  return {
    boot: boot as BootId, startedAtMs: startedAtMs as number, state: state as NodeState, epoch: epoch as number, ...known,
    ...(reached === undefined ? {} : { addresses: reached }), ...(isPrefix(prefix) && { prefix }), leads, damaged,
    ...(loading.length > 0 && { loading }), ...(mute && { mute }),
  }
}

const levelsIn = (levels: unknown): Pick<BeaconMessage, 'levels'> | null => {
  if (levels === undefined) return {}
  if (typeof levels !== 'object' || levels === null) return null
  const { min, max } = levels as Record<string, unknown>
  const areLevels = Number.isSafeInteger(min) && Number.isSafeInteger(max) && Number(min) >= FIRST_LEVEL && Number(max) >= Number(min)
  return areLevels ? { levels: { min: min as number, max: max as number } } : null
}

const isPrefix = (prefix: unknown): prefix is string => typeof prefix === 'string' && prefixProblem(prefix) === null

const areReplicas = (pairs: unknown): pairs is [number, number][] =>
  Array.isArray(pairs) && pairs.length <= GROUPS_MAX && pairs.every((pair) => isPair(pair) && pair[1] > 0)

const isPair = (pair: unknown): pair is [number, number] =>
  Array.isArray(pair) && pair.length === 2 && pair.every((n) => Number.isSafeInteger(n) && n >= 0)
