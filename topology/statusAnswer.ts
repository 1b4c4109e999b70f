/**
 * The answer to `kv.status`, small enough for one message of the broker. A report grows with the shards: 1,024 of them, each with its
 * histograms, are beyond 1 MiB, and beyond 64 KiB without. What is not sent would look like a node that is down, so a report that is too
 * large leaves out what is missed least, and says so:
 *
 *   1. `load` of every replica: rates are lost, nothing else is;
 *   2. replicas, followers before leaders: a leader tells of all replicas of its shard, and a follower names it;
 *   3. what the map and the failure detector say of other nodes, in clusters of some hundreds.
 *
 * Who the node is stays in any case: that is what the checks for twins go by (topology/nameClaims.ts).
 */

import type { NodeReport, ReplicaReport } from './report.ts'

/** `"shortened":{"replicas":1024},` */
const NOTE_BYTES = 64
/** Of the message, for what is no replica. */
const HEAD_SHARE = 0.5

export const statusAnswer = (report: NodeReport, bytesMax: number): Uint8Array => {
  const whole = encode(report)
  if (whole.length <= bytesMax) return whole
  const head = headOf(report, bytesMax)
  const candidates = report.replicas.map(withoutLoad).toSorted((a, b) => Number(b.role === 'leader') - Number(a.role === 'leader'))
  let left = bytesMax - bytesOf(head) - NOTE_BYTES
  const replicas = candidates.filter((replica) => {
    left -= bytesOf(replica) + 1
    return left >= 0
  })
  return encode({
    ...head,
    shortened: { replicas: candidates.length - replicas.length },
    replicas: replicas.toSorted((a, b) => a.shard - b.shard),
  } satisfies NodeReport)
}

const headOf = (report: NodeReport, bytesMax: number): NodeReport => {
  const head = { ...report, replicas: [] }
  if (bytesOf(head) <= bytesMax * HEAD_SHARE) return head
  const { places: _places, gossip: _gossip, ...bare } = head
  return bare
}

const withoutLoad = ({ load: _load, ...rest }: ReplicaReport): ReplicaReport => rest

const bytesOf = (value: unknown): number => encode(value).length

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
