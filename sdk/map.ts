/**
 * The cluster map as the SDK follows it: fetched from `kv.map` when something went another way than the map said, never on a schedule.
 *
 * Fetches are coalesced, however many operations fail at once, and spaced by MAP_EVERY_MS with jitter while they bring nothing new. The
 * map itself changes with its epoch; who leads is a hint beside it, and of two hints the newer term wins, so that an
 * answer of a node that was cut off for a while never takes the client back.
 */

import { fraction } from '../actors/kernel/random.ts'
import { spanningSubject } from '../bus/subjects.ts'
import { SHARD_COUNT_MAX, isNodeId } from '../topology/ids.ts'
import { MAP_EVERY_MS, MAP_TIMEOUT_MS } from './limits.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Bus, Inbound } from '../bus/port.ts'
import type { NodeId, ShardId } from '../topology/ids.ts'

export interface LeaderHint {
  readonly node: NodeId
  readonly term: number
}

export interface RoutingMap {
  readonly cluster: string
  readonly epoch: number
  readonly shardCount: number
  /** The nodes with a replica, by shard. */
  readonly replicas: readonly (readonly NodeId[])[]
  readonly leaders: readonly (LeaderHint | null)[]
}

export interface MapFollower {
  /** Fetches now, or as soon as the spacing allows, unless the last fetch is younger than `notWithinMs`; one fetch at a time. */
  readonly refresh: (notWithinMs?: number) => void
  readonly onTick: (now: number) => void
  /** Null before the first answer. */
  readonly current: () => RoutingMap | null
  readonly fetches: () => number
}

export interface MapFollowerOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly prefix: string
  /** The shards whose leader is another than before, or led in a newer term; all of them for the first map. */
  readonly onMap: (map: RoutingMap, changed: readonly ShardId[]) => void
  /** A fetch without an answer that can be used: why. */
  readonly onProblem: (reason: string) => void
}

export const createMapFollower = (options: MapFollowerOptions): MapFollower => {
  const { bus, clock, random } = options
  const subject = spanningSubject(options.prefix, 'map')
  let map: RoutingMap | null = null
  let isFetching = false
  let isWanted = false
  let notBefore = Number.NEGATIVE_INFINITY
  let fetchedAt = Number.NEGATIVE_INFINITY
  let fetches = 0

  const learn = (found: RoutingMap): void => {
    const before = map
    map = before === null ? found : merged(before, found)
    const changed = changedShards(before, map)
    if (changed.length > 0) notBefore = clock.now()
    options.onMap(map, changed)
  }
  const fetch = (): void => {
    isFetching = true
    isWanted = false
    fetches += 1
    bus.request(subject, new Uint8Array(0), { timeoutMs: MAP_TIMEOUT_MS, isAnswer: isOfNode }, (failure, answer) => {
      isFetching = false
      fetchedAt = clock.now()
      notBefore = fetchedAt + MAP_EVERY_MS * (1 + fraction(random))
      const found = answer === null ? reasons[failure ?? 'timeout'] : refusalIn(answer) ?? readMap(answer.data)
      if (typeof found === 'string') options.onProblem(found)
      else learn(found)
    })
  }
  return {
    refresh: (notWithinMs = 0) => {
      if (isFetching || clock.now() < fetchedAt + notWithinMs) return
      if (clock.now() < notBefore) isWanted = true
      else fetch()
    },
    onTick: (now) => {
      if (isWanted && !isFetching && now >= notBefore) fetch()
    },
    current: () => map,
    fetches: () => fetches,
  }
}

const reasons = {
  noResponders: 'no node of a ShardKV cluster answers',
  denied: 'the broker does not let this user ask for the map',
  deniedAmong: 'the broker does not let this user ask for the map',
  timeout: 'no node answered in time',
  closed: 'the broker is not connected',
  noInbox: 'the broker does not let this user hear answers',
  unreadable: 'the answer of a node can not be read',
} as const

/** Of what a node says instead of a map. In characters. */
const REFUSAL_CHARACTERS_MAX = 400
const STATUS_CHARACTERS_MAX = 40

/** What a shard answered names it: a value that looks like a map, which somebody had a node send. */
const isOfNode = ({ headers }: Inbound): boolean => headers?.has('Kv-Shard') !== true

/** Why a node has no map to give, such as one that is larger than a message of the broker; null when it gives one. */
const refusalIn = ({ data, headers }: Inbound): string | null => {
  const status = headers?.get('Kv-Status') ?? 'OK'
  if (status === 'OK') return null
  const sentence = new TextDecoder().decode(data.subarray(0, REFUSAL_CHARACTERS_MAX)).replace(/\.$/, '')
  return `the cluster map can not be had (${status.slice(0, STATUS_CHARACTERS_MAX)}): ${sentence}`
}

const changedShards = (before: RoutingMap | null, after: RoutingMap): readonly ShardId[] =>
  after.leaders.flatMap((hint, shard) => {
    const known = before?.leaders[shard] ?? null
    return before !== null && known?.node === hint?.node && known?.term === hint?.term ? [] : [shard as ShardId]
  })

/** Another cluster, or another shard count, is no newer version of this map: whoever follows it decides what that means. */
const merged = (before: RoutingMap, found: RoutingMap): RoutingMap => {
  if (found.cluster !== before.cluster || found.shardCount !== before.shardCount) return found
  const newer = found.epoch >= before.epoch ? found : before
  return { ...newer, leaders: found.leaders.map((hint, shard) => newerHint(before.leaders[shard] ?? null, hint)) }
}

const newerHint = (known: LeaderHint | null, heard: LeaderHint | null): LeaderHint | null => {
  if (known === null || heard === null) return known ?? heard
  return heard.term >= known.term ? heard : known
}

/** The map, or what is wrong with it. It comes from outside, so nothing in it is taken on trust. */
export const readMap = (data: Uint8Array): RoutingMap | string => {
  try {
    const found = JSON.parse(new TextDecoder().decode(data)) as unknown
    return mapOf(found) ?? 'the answer is not a cluster map: is this the prefix of a ShardKV cluster?'
  } catch {
    return 'the answer is not JSON: is this the prefix of a ShardKV cluster?'
  }
}

const mapOf = (found: unknown): RoutingMap | null => {
  if (typeof found !== 'object' || found === null) return null
  const { cluster, epoch, shardCount, replicas, leaders } = found as Readonly<Record<string, unknown>>
  if (typeof cluster !== 'string' || !isCount(epoch) || !isCount(shardCount)) return null
  if (shardCount < 1 || shardCount > SHARD_COUNT_MAX || !Array.isArray(leaders) || !Array.isArray(replicas)) return null
  if (leaders.length !== shardCount || replicas.length !== shardCount) return null
  return { cluster, epoch, shardCount, leaders: leaders.map(hintOf), replicas: replicas.map(nodesOf) }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

const hintOf = (value: unknown): LeaderHint | null => {
  if (typeof value !== 'object' || value === null) return null
  const { node, term } = value as Readonly<Record<string, unknown>>
  return typeof node === 'string' && isNodeId(node) && isCount(term) ? { node, term } : null
}

/** Replica ids are written `<node>:<generation>`. */
const nodesOf = (value: unknown): readonly NodeId[] => {
  if (!Array.isArray(value)) return []
  return value.map((replica) => String(replica).split(':')[0] ?? '').filter(isNodeId)
}
