/**
 * A replica counts as durable what its log has answered for, and nothing else (docs/TESTING.md T4, T5): the entry at its durable index is
 * the one that the log has there when everything is carried out that was submitted up to the newest answer. An answer that is believed of
 * an entry which has replaced another is seen at once; durableIsKept.ts sees it only where power is lost before the next answer.
 *
 * Looked at after events in which the log has answered: a durable index rises in no others, and one that runs ahead shows at the next.
 */

import { nodeOf } from '../../topology/ids.ts'
import type { Entry, Index, Term } from '../../actors/raft/protocol.ts'
import type { SnapshotMark, WalEvent, WalNotice } from '../../actors/wal/protocol.ts'
import type { Invariant, ReplicaView } from '../view.ts'
import type { WireListener } from '../wires.ts'

/** A log as far as it was answered for: where each of its terms begins, and where it ends. */
interface Answered {
  starts: { readonly index: Index; readonly term: Term }[]
  last: Index
}

interface Submitted {
  /** What answers it. */
  readonly type: WalNotice['type']
  readonly ticket: number
  readonly carryOut: (log: Answered) => void
}

interface Group {
  /** Null until the replica was looked at for the first time. */
  answered: Answered | null
  /** In order. */
  readonly waiting: Submitted[]
}

/** Of one life of a node. */
type Groups = Map<number, Group>

export interface DurableIsAnswered extends Invariant {
  /** A life of the node begins: what the one before waited for nobody answers any more. */
  readonly begin: (node: string) => Pick<WireListener, 'submits' | 'notices'>
}

export const createDurableIsAnswered = (): DurableIsAnswered => {
  const lives = new Map<string, Groups>()
  /** To be looked at after the running event. */
  const due = new Set<Group>()
  const forget = (life: Groups, group: number): void => {
    const known = life.get(group)
    if (known !== undefined) due.delete(known)
    life.delete(group)
  }
  const submit = (life: Groups, event: WalEvent): void => {
    const submitted = submittedBy(event)
    if (submitted !== null && 'group' in event) groupIn(life, event.group).waiting.push(submitted)
    if (event.type === 'wal.adopt' || event.type === 'wal.retire') forget(life, event.group)
  }
  const answer = (life: Groups, notice: WalNotice): void => {
    if (notice.type !== 'wal.appended' && notice.type !== 'wal.snapshotMarked') return
    const group = life.get(notice.group)
    if (group === undefined) return
    const at = group.waiting.findIndex(({ type, ticket }) => type === notice.type && ticket === notice.ticket)
    for (const { carryOut } of group.waiting.splice(0, at + 1)) if (group.answered !== null) carryOut(group.answered)
    due.add(group)
  }
  return {
    name: 'only what the log has answered for is durable',
    begin: (node) => {
      const before = lives.get(node) ?? new Map<number, Group>()
      for (const group of before.values()) due.delete(group)
      const life: Groups = new Map()
      lives.set(node, life)
      return { submits: (event) => submit(life, event), notices: (notice) => answer(life, notice) }
    },
    checkStart: (view) => {
      const life = lives.get(nodeOf(view.id))
      if (life !== undefined) groupIn(life, view.shard).answered = recoveredBy(view)
      return null
    },
    check: (view) => {
      if (due.size === 0) return null
      const group = lives.get(nodeOf(view.id))?.get(view.shard)
      if (group === undefined || !due.delete(group) || group.answered === null) return null
      const { id, shard, durableIndex, durableTerm, snapshotIndex } = view
      const held = termAt(group.answered, durableIndex)
      if (durableIndex <= snapshotIndex || held === durableTerm) return null
      return `${id} of shard ${shard} counts index ${durableIndex} of term ${durableTerm ?? 'none'} as durable; its log has answered for`
        + ` ${held === undefined ? 'nothing' : `term ${held}`} there`
    },
  }
}

const groupIn = (life: Groups, group: number): Group => {
  const known = life.get(group) ?? { answered: null, waiting: [] }
  life.set(group, known)
  return known
}

const submittedBy = (event: WalEvent): Submitted | null => {
  if (event.type === 'wal.append') return { type: 'wal.appended', ticket: event.ticket, carryOut: appending(event.entries) }
  if (event.type === 'wal.installSnapshot') return { type: 'wal.snapshotMarked', ticket: event.ticket, carryOut: installing(event.mark) }
  return null
}

/** Undefined behind its end, and before all that is known of it. */
const termAt = ({ starts, last }: Answered, index: Index): Term | undefined =>
  (index > last ? undefined : starts.findLast((start) => start.index <= index)?.term)

const add = (log: Answered, { index, term }: Pick<Entry, 'index' | 'term'>): void => {
  while ((log.starts.at(-1)?.index ?? 0) >= index) log.starts.pop()
  if (log.starts.at(-1)?.term !== term) log.starts.push({ index, term })
  log.last = index
}

const appending = (entries: readonly Entry[]): Submitted['carryOut'] => {
  const added = entries.map(({ index, term }) => ({ index, term }))
  return (log) => {
    for (const entry of added) add(log, entry)
  }
}

/** What stands behind it stays where the log has the snapshot's last entry. */
const installing = (mark: SnapshotMark): Submitted['carryOut'] => (log) => {
  if (mark.index <= log.last && (termAt(log, mark.index) ?? mark.term) === mark.term) return
  log.starts = [mark]
  log.last = mark.index
}

/** What was recovered is durable. */
const recoveredBy = ({ snapshotIndex, durableIndex, entryAt }: ReplicaView): Answered => {
  const log: Answered = { starts: [], last: snapshotIndex }
  for (let index = snapshotIndex + 1; index <= durableIndex; index += 1) {
    const entry = entryAt(index)
    if (entry !== undefined) add(log, entry)
  }
  return log
}
