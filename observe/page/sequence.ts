/**
 * One request as a message sequence diagram: rows by time, each a phase at one node or a message between two, and the stretches that took
 * its time. A send and the receive that answers to it are one message; where their clocks disagree, it has no duration.
 */

import type { ActorRecord } from '../recorder/record.ts'

export type SequenceRow =
  | { readonly kind: 'phase'; readonly at: number; readonly node: string; readonly record: ActorRecord }
  | {
    readonly kind: 'message'; readonly at: number; readonly from: string; readonly to: string; readonly event: string
    /** Null: one end is missing, or the clocks of the two disagree by more than it took. */
    readonly transitMs: number | null
    readonly isHeard: boolean
    readonly records: readonly ActorRecord[]
  }

export interface Stretch {
  readonly label: string
  readonly node: string
  readonly from: number
  readonly to: number
  readonly event: string
}

export interface Sequence {
  readonly nodes: readonly string[]
  readonly rows: readonly SequenceRow[]
  readonly stretches: readonly Stretch[]
  readonly from: number
  readonly to: number
}

export const sequenceOf = (unsorted: readonly ActorRecord[]): Sequence => {
  const records = unsorted.toSorted((a, b) => a.at - b.at || a.seq - b.seq)
  const phases = records.filter(({ kind }) => kind === 'phase')
  const rows = [
    ...phases.map((record): SequenceRow => ({ kind: 'phase', at: record.at, node: record.node, record })),
    ...messagesOf(records),
  ].toSorted((a, b) => a.at - b.at)
  const stretches = phases.filter(({ micros }) => micros !== undefined).map((record): Stretch => ({
    label: phaseWords(record), node: record.node, event: record.event, from: record.at - (record.micros ?? 0) / 1_000, to: record.at,
  })).toSorted((a, b) => a.from - b.from)
  return {
    nodes: nodesIn(records), rows, stretches,
    from: Math.min(...records.map(({ at }) => at)),
    to: Math.max(...records.map(({ at }) => at)),
  }
}

/** In the order in which the request came to them. */
const nodesIn = (records: readonly ActorRecord[]): readonly string[] =>
  [...new Set(records.flatMap(({ node, peer, kind }) => (kind === 'send' && peer !== undefined ? [node, peer] : [node])))]

const messagesOf = (records: readonly ActorRecord[]): readonly SequenceRow[] => {
  const receipts = records.filter(({ kind }) => kind === 'receive')
  const taken = new Set<ActorRecord>()
  const sent = records.filter(({ kind, peer }) => kind === 'send' && peer !== undefined).map((record): SequenceRow => {
    const heard = receipts.find((one) =>
      !taken.has(one) && one.event === record.event && one.node === record.peer && one.peer === record.node)
    if (heard !== undefined) taken.add(heard)
    const took = heard === undefined ? -1 : heard.at - record.at
    return {
      kind: 'message', at: record.at, from: record.node, to: record.peer ?? '', event: record.event,
      transitMs: took >= 0 ? took : null, isHeard: heard !== undefined, records: heard === undefined ? [record] : [record, heard],
    }
  })
  const unsent = receipts.filter((record) => !taken.has(record) && record.peer !== undefined).map((record): SequenceRow => ({
    kind: 'message', at: record.at, from: record.peer ?? '', to: record.node, event: record.event, transitMs: null, isHeard: true,
    records: [record],
  }))
  return [...sent, ...unsent]
}

export const phaseWords = ({ event, peer, detail }: ActorRecord): string => {
  switch (event) {
    case 'arrive': return `${detail?.['op'] ?? 'request'} arrives`
    case 'propose': return 'gathered and proposed'
    case 'fsync': return 'on disk (fsync)'
    case 'replicate': return `on ${peer ?? 'a peer'}'s disk`
    case 'commit': return 'committed by a majority'
    case 'apply': return 'applied'
    case 'reply': return `answered ${detail?.['status'] ?? ''}`.trimEnd()
    default: return event
  }
}

/** Where the time went, in a sentence. */
export const verdictOf = ({ rows, stretches }: Sequence): string => {
  const reply = rows.find((row) => row.kind === 'phase' && row.record.event === 'reply')
  const whole = reply?.kind === 'phase' ? reply.record.micros : undefined
  const parts = [
    ...stretches.filter(({ event }) => event !== 'reply' && event !== 'commit')
      .map(({ label, node, from, to }) => ({ words: label, where: `at ${node}`, to, took: to - from })),
    // Of what goes to followers only what the leader waited for counts, and that is a stretch already: on somebody's disk.
    ...rows.flatMap((row) => (row.kind === 'message' && row.transitMs !== null && !row.event.startsWith('raft.')
      ? [{ words: `${row.event} on its way`, where: `from ${row.from} to ${row.to}`, to: row.at + row.transitMs, took: row.transitMs }]
      : [])),
  ]
  // What ended after the answer did not delay it.
  const longest = parts.filter(({ to }) => to <= (reply?.at ?? 0)).toSorted((a, b) => b.took - a.took)[0]
  if (reply?.kind !== 'phase' || whole === undefined) return 'Its end has not been recorded.'
  const op = String(reply.record.detail?.['op'] ?? 'request').toUpperCase()
  const head = `${op} took ${millis(whole / 1_000)}.`
  if (longest === undefined) return head
  return `${head} The longest stretch: ${longest.words}, ${millis(longest.took)} ${longest.where}.`
}

export const millis = (ms: number): string => `${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : ms.toFixed(0)} ms`
