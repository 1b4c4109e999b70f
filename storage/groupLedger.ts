/**
 * What the records of one Raft group add up to, in log order. Pure.
 *
 * - An entry replaces whatever the group has at or above its index; a copied entry fills a gap and never truncates.
 * - The newest hard state counts wherever it stands: a higher term, or the same term with a vote.
 * - An installed snapshot drops what it covers, and the rest too unless its record says that the log agreed with it.
 * - A replica that begins, or is gone, voids all of that, damage included; a copied replica record voids nothing.
 * - A damaged entry leaves a hole. A hole that a later record covers costs nothing; one that remains may have been a promise, so
 *   the group is quarantined and its entries end before the hole.
 */

import type { Entry, HardState, Index } from '../actors/raft/protocol.ts'
import type { RecoveredGroup, ReplicaMark, SnapshotMark } from '../actors/wal/protocol.ts'
import type { GroupId, ReplicaId } from '../topology/ids.ts'
import { paddedRecordBytes } from './record.ts'
import type { RecordHeader, WalRecord } from './record.ts'

/** Where a group's live records lie: what must not be deleted. */
export interface GroupUsage {
  readonly group: GroupId
  /** Segment of the newest hard state, mark, quarantine and replica record; 0 when there is none. */
  readonly hardStateSegment: number
  readonly markSegment: number
  readonly quarantineSegment: number
  readonly replicaSegment: number
  /** Live entries by segment. */
  readonly rows: ReadonlyMap<number, { readonly bytes: number; readonly indexMin: Index; readonly indexMax: Index }>
}

interface Held { readonly entry: Entry; readonly segment: number }

export interface GroupLedger {
  readonly apply: (record: WalRecord, segment: number) => void
  /** A record whose header is good and whose payload is not. */
  readonly applyDamaged: (header: RecordHeader) => void
  readonly finish: () => RecoveredGroup
  readonly usage: () => GroupUsage
  /** Segment of the newest replica record that was not copied: nothing before it can cost the group a promise. 0 for none. */
  readonly beganIn: () => number
}

/** What a lost record is taken to have said: only a vote in its term, or a later term, makes up for it. */
const anyVote = '?' as ReplicaId

export const isNewerHardState = (next: HardState, than: HardState): boolean =>
  next.term > than.term || (next.term === than.term && (next.vote !== '' || than.vote === ''))

function* indexesDown(from: Index, to: Index): Generator<Index> {
  for (let at = from; at >= to; at -= 1) yield at
}

const emptyGroup = (group: GroupId): RecoveredGroup =>
  ({ group, hardState: { term: 0, vote: '' }, snapshot: { index: 0, term: 0 }, entries: [] })

export const createGroupLedger = (group: GroupId): GroupLedger => {
  const entries = new Map<Index, Held>()
  const holes = new Set<Index>()
  let lastIndex: Index = 0
  const nothing = emptyGroup(group)
  let { hardState, snapshot: mark } = nothing
  let quarantined: string | undefined
  let lostHardStateTerm: number | undefined
  let hardStateSegment = 0
  let markSegment = 0
  let quarantineSegment = 0
  let replica: ReplicaMark | undefined
  let replicaSegment = 0
  let beganIn = 0

  const dropFrom = (index: Index): void => {
    // Past a hole the last index may be any number: then what is there is walked, not what could be.
    const isSparse = lastIndex - index > entries.size + holes.size
    for (const at of isSparse ? [...entries.keys(), ...holes] : indexesDown(lastIndex, index)) {
      if (at < index) continue
      entries.delete(at)
      holes.delete(at)
    }
    lastIndex = Math.min(lastIndex, index - 1)
  }
  const dropThrough = (index: Index): void => {
    for (const at of entries.keys()) if (at <= index) entries.delete(at)
    for (const at of holes) if (at <= index) holes.delete(at)
  }
  const put = (entry: Entry, segment: number): void => {
    entries.set(entry.index, { entry, segment })
    holes.delete(entry.index)
    lastIndex = Math.max(lastIndex, entry.index)
  }
  const applyEntry = (entry: Entry, segment: number): void => {
    if (entry.index <= mark.index) return
    dropFrom(entry.index)
    put(entry, segment)
  }
  const applyCopied = (entry: Entry, segment: number): void => {
    if (entry.index <= mark.index || entries.has(entry.index)) return
    put(entry, segment)
  }
  const applyMark = (next: SnapshotMark, options: { readonly segment: number; readonly keepsTail: boolean }): void => {
    if (next.index < mark.index) return
    mark = next
    markSegment = options.segment
    dropThrough(next.index)
    if (!options.keepsTail) dropFrom(next.index + 1)
  }
  const applyHardState = (next: HardState, segment: number): void => {
    if (!isNewerHardState(next, hardState)) return
    hardState = next
    hardStateSegment = segment
    if (lostHardStateTerm !== undefined && isNewerHardState(next, { term: lostHardStateTerm, vote: anyVote })) {
      lostHardStateTerm = undefined
    }
  }
  const begin = (segment: number): void => {
    entries.clear()
    holes.clear()
    lastIndex = 0
    hardState = nothing.hardState
    mark = nothing.snapshot
    quarantined = undefined
    lostHardStateTerm = undefined
    hardStateSegment = 0
    markSegment = 0
    quarantineSegment = 0
    beganIn = segment
  }
  const applyReplica = (next: ReplicaMark, options: { readonly segment: number; readonly isCopied: boolean }): void => {
    if (!options.isCopied) begin(options.segment)
    replica = next
    replicaSegment = options.segment
  }

  const contiguous = (): Entry[] => {
    const result: Entry[] = []
    for (let index = mark.index + 1; ; index += 1) {
      const held = entries.get(index)
      if (held === undefined) return result
      result.push(held.entry)
    }
  }
  const damage = (found: readonly Entry[]): string | undefined => {
    if (lostHardStateTerm !== undefined) return `the record of its vote in term ${lostHardStateTerm} is damaged`
    const next = mark.index + found.length + 1
    if (holes.size > 0) return `the record of entry ${Math.min(...holes)} is damaged`
    return next <= lastIndex ? `entry ${next} is missing while entry ${lastIndex} is there` : undefined
  }

  return {
    apply: (record, segment) => {
      switch (record.kind) {
        case 'entry': return applyEntry(record.entry, segment)
        case 'copiedEntry': return applyCopied(record.entry, segment)
        case 'hardState': return applyHardState(record.hardState, segment)
        case 'snapshotMark': return applyMark(record.mark, { segment, keepsTail: record.keepsTail })
        case 'compactMark': return applyMark(record.mark, { segment, keepsTail: true })
        case 'quarantine':
          quarantined = record.reason
          quarantineSegment = segment
          return undefined
        case 'replica': return applyReplica(record.replica, { segment, isCopied: record.isCopied })
      }
      record satisfies never
    },
    applyDamaged: (header) => {
      if (header.kind === 'hardState') lostHardStateTerm = Math.max(lostHardStateTerm ?? 0, header.term)
      else if (header.kind === 'quarantine') quarantined = 'quarantined; the record of the reason is damaged'
      else if (header.index > mark.index) {
        if (header.kind === 'copiedEntry' && entries.has(header.index)) return
        if (header.kind === 'entry') dropFrom(header.index)
        holes.add(header.index)
        lastIndex = Math.max(lastIndex, header.index)
      }
    },
    finish: () => {
      // Nothing is written behind a tombstone but the next replica; where damage took that, what it wrote is no one's.
      if (replica?.isRemoved === true) return { ...nothing, replica }
      const found = contiguous()
      const reason = quarantined ?? damage(found)
      const base: RecoveredGroup = {
        group, hardState, snapshot: mark, entries: found, ...(replica === undefined ? {} : { replica }),
      }
      return reason === undefined ? base : { ...base, quarantined: reason }
    },
    usage: () => {
      const rows = new Map<number, { bytes: number; indexMin: Index; indexMax: Index }>()
      for (const { entry, segment } of entries.values()) {
        const row = rows.get(segment) ?? { bytes: 0, indexMin: entry.index, indexMax: 0 }
        row.bytes += paddedRecordBytes(entry.payload.length)
        row.indexMin = Math.min(row.indexMin, entry.index)
        row.indexMax = Math.max(row.indexMax, entry.index)
        rows.set(segment, row)
      }
      return { group, hardStateSegment, markSegment, quarantineSegment, replicaSegment, rows }
    },
    beganIn: () => beganIn,
  }
}
