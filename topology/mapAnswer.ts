/**
 * The answer to `kv.map`, and whether the broker takes it in one message. Where it does not, no SDK can connect while the nodes among
 * themselves are well: so it is reckoned when a map comes into force, before anybody asks.
 */

import { nodeOf } from './ids.ts'
import type { LeaderHint } from './beacon.ts'
import type { ClusterMap } from './clusterMap.ts'
import type { NodeId, ShardId } from './ids.ts'

/** Plain data. */
export interface MapAnswer extends ClusterMap {
  /** By shard; null where this node knows of none. */
  readonly leaders: readonly (LeaderHint | null)[]
}

/** A term as long as it is likely to get. */
const TERM_LONG = 999_999
/** The broker counts a message's headers, too. */
const HEADERS_BYTES = 64

export const mapAnswer = (map: ClusterMap, leaderOf: (shard: ShardId) => LeaderHint | null): MapAnswer =>
  ({ ...map, leaders: map.replicas.map((_, shard) => leaderOf(shard as ShardId)) })

/**
 * The answer as text, made anew only where something in it is another. At a thousand shards making it takes a millisecond, and looking a
 * fiftieth of that: whoever may publish at all may ask, as often as it likes, and clients ask at every sign of trouble.
 */
export const createMapText = (map: () => ClusterMap, leaderOf: (shard: ShardId) => LeaderHint | null): (() => string) => {
  let known: MapAnswer | null = null
  let knownMap: ClusterMap | null = null
  let text = ''
  return () => {
    const now = map()
    const answer = mapAnswer(now, leaderOf)
    if (known === null || knownMap !== now || !areSame(known.leaders, answer.leaders)) text = JSON.stringify(answer)
    known = answer
    knownMap = now
    return text
  }
}

const areSame = (some: MapAnswer['leaders'], others: MapAnswer['leaders']): boolean => {
  for (let shard = 0; shard < some.length; shard += 1) {
    const [one, other] = [some[shard], others[shard]]
    if (one?.node !== other?.node || one?.term !== other?.term) return false
  }
  return true
}

/**
 * What to say when one message of at most `payloadBytesMax` bytes may not hold the answer; null when it does. Reckoned with a leader for
 * each shard, of the longest name: an answer must not grow too large by an election.
 */
export const mapProblem = (map: ClusterMap, payloadBytesMax: number): string | null => {
  const answer = mapAnswer(map, (shard) => ({ node: longestOf((map.replicas[shard] ?? []).map(nodeOf)), term: TERM_LONG }))
  const bytes = new TextEncoder().encode(JSON.stringify(answer)).length + HEADERS_BYTES
  if (bytes <= payloadBytesMax) return null
  return `the cluster map as clients get it has ${bytes} bytes once every shard has a leader, and the broker takes ${payloadBytesMax} `
    + 'in one message: raise its max_payload, or no SDK can connect'
}

const longestOf = (nodes: readonly NodeId[]): NodeId =>
  nodes.reduce((longest, node) => (node.length > longest.length ? node : longest), '' as NodeId)
