/** Snapshots: written, sent in pieces, interrupted at either end, refused, damaged. */

import { nodeOf } from '../../topology/ids.ts'
import { defineSubject, isSameLife } from './mark.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { SentMail } from '../view.ts'
import type { LedgerLine } from '../ledger.ts'
import type { RestLimits } from './world.ts'
import type { Columns } from '../trace.ts'

interface Transfer {
  readonly shard: number
  readonly from: ReplicaId
  readonly to: ReplicaId
  readonly index: number
  readonly totalBytes: number
  offset: number
}

type Chunk = Extract<SentMail['message'], { type: 'raft.snapshotChunk' }>

const WRITTEN = /^snapshot written shard=(\d+) index=(\d+)/
/** What an entry counts for beside its payload (actors/shard/commits.ts). */
const ENTRY_BYTES = 64

/** Too little for a snapshot of a shard that is written, enough for one of a shard that is not, and it was not. */
const isAtRest = (since: readonly LedgerLine[], limits: RestLimits, now: number): boolean => {
  const bytesOf = (lines: readonly LedgerLine[]): number => lines.reduce((sum, { entry }) => sum + entry.payload.length, 0)
  const logBytes = bytesOf(since) + since.length * ENTRY_BYTES
  const recent = since.filter(({ committedAt }) => committedAt > now - limits.restMs)
  return logBytes > limits.restLogBytesMin && logBytes <= limits.snapshotLogBytesMin && bytesOf(recent) <= limits.restBytesMax
}

export const snapshots = defineSubject('snapshots', [
  'a snapshot was written',
  'a snapshot was written of a shard at rest',
  'a log was cut behind a snapshot while a member still needed it',
  'a snapshot was sent',
  'a snapshot was sent in several pieces',
  'a snapshot transfer was interrupted by the death of its sender',
  'a snapshot transfer was interrupted by the death of its receiver',
  'a snapshot transfer was begun again by another leader',
  'a snapshot transfer was begun again from the beginning',
  'a newer snapshot took the place of one on its way',
  'a snapshot was refused because the receiver had more',
  'a received snapshot was damaged or had no room',
  'a snapshot from the leader was installed',
  'a member started from a snapshot',
  'a damaged snapshot was passed over at a start',
], (hit, { rest, now, ledgerOf }) => {
  /** By node and shard. */
  const written = new Map<string, number>()
  const transfers = new Map<string, Transfer>()

  const onChunk = (key: string, { shard, from, to }: SentMail, message: Chunk): void => {
    const { snapshotIndex: index, totalBytes, offset } = message
    const known = transfers.get(key)
    hit('a snapshot was sent')
    if (offset > 0) hit('a snapshot was sent in several pieces')
    if (known === undefined || known.from !== from || known.index !== index) {
      transfers.set(key, { shard, from, to, index, totalBytes, offset })
      if (known !== undefined && known.from !== from) hit('a snapshot transfer was begun again by another leader')
      else if (known !== undefined && known.index < index) hit('a newer snapshot took the place of one on its way')
      return
    }
    if (offset === 0 && known.offset > 0) hit('a snapshot transfer was begun again from the beginning')
    known.offset = offset
  }
  const onDeath = (node: string): void => {
    for (const [key, { from, to }] of transfers) {
      if (nodeOf(from) === node) hit('a snapshot transfer was interrupted by the death of its sender')
      else if (nodeOf(to) === node) hit('a snapshot transfer was interrupted by the death of its receiver')
      if (nodeOf(from) === node || nodeOf(to) === node) transfers.delete(key)
    }
  }
  const onWritten = (node: string, details: string): void => {
    hit('a snapshot was written')
    const [, shard, index] = WRITTEN.exec(details) ?? []
    if (rest === null || shard === undefined) return
    const key = `${node} ${shard}`
    const since = (ledgerOf(Number(shard))?.lines ?? []).slice(written.get(key) ?? 0, Number(index))
    written.set(key, Number(index))
    if (isAtRest(since, rest, now())) hit('a snapshot was written of a shard at rest')
  }
  const onLine = ({ who, what, details }: Columns): void => {
    if (what === 'machine' && (details === 'is killed' || details === 'loses power')) onDeath(who)
    if (details.startsWith('snapshot written')) onWritten(who, details)
    if (details.startsWith('a snapshot from the leader is installed')) hit('a snapshot from the leader was installed')
    if (details.startsWith('WARN a received snapshot can not be used')) hit('a received snapshot was damaged or had no room')
    if (details.startsWith('WARN a snapshot does not verify')) hit('a damaged snapshot was passed over at a start')
  }
  return {
    onLine,
    onMail: (mail) => {
      const { shard, from, to, message } = mail
      if (message.type === 'raft.snapshotChunk') onChunk(`${shard} ${to}`, mail, message)
      if (message.type === 'raft.snapshotRefused' && message.reason === 'older') hit('a snapshot was refused because the receiver had more')
      if (message.type !== 'raft.snapshotAccepted') return
      const transfer = transfers.get(`${shard} ${from}`)
      if (transfer?.from === to && message.nextOffset >= transfer.totalBytes) transfers.delete(`${shard} ${from}`)
    },
    onView: (view, before) => {
      if (!isSameLife(view, before)) {
        if (view.snapshotIndex > 0) hit('a member started from a snapshot')
        return
      }
      if (view.role !== 'leader' || view.snapshotIndex === before.snapshotIndex) return
      const isNeeded = view.voters.some((voter) => (view.matchIndex.get(voter) ?? 0) < view.snapshotIndex)
      if (isNeeded) hit('a log was cut behind a snapshot while a member still needed it')
    },
  }
})
