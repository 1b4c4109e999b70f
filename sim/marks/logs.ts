/** Logs: what commits when, what is overwritten, and how far members fall behind. */

import { defineSubject, isSameLife } from './mark.ts'
import type { ReplicaView, SentMail } from '../view.ts'

const MANY_ENTRIES = 8
const FAR_BEHIND = 64
const LARGE_BYTES = 32 * 1_024

export const logs = defineSubject('logs', [
  'an entry of an older term was replicated before it committed',
  'an uncommitted entry was overwritten',
  'a new leader found uncommitted entries of an older term in its log',
  'two members held different entries at the same index',
  'an entry committed that a member did not have yet',
  'a leader committed what its own disk did not hold yet',
  'a follower knew of a commit that its own disk did not hold yet',
  'a leader had more to apply than one turn takes',
  'a leader was deposed, or elected, with more to apply',
  'a member was far behind its leader',
  'an append was rejected',
  'a rejection skipped more than one entry',
  'an append carried many entries',
  'an append carried none, to find out where a log matches',
  'an entry as large as the broker allows was committed',
  'an entry of several operations was committed',
], (hit, world) => {
  let entry: unknown = null

  const onLeaderCommit = (view: ReplicaView, before: ReplicaView): void => {
    const first = view.entryAt(before.commitIndex + 1)
    if (first !== undefined && first.term < view.term) hit('an entry of an older term was replicated before it committed')
    if (view.commitIndex > view.durableIndex) hit('a leader committed what its own disk did not hold yet')
    for (const index of view.matchIndex.values()) {
      if (index < view.commitIndex) hit('an entry committed that a member did not have yet')
      if (index < view.commitIndex - FAR_BEHIND) hit('a member was far behind its leader')
    }
  }
  const onLog = (view: ReplicaView, before: ReplicaView): void => {
    const kept = view.snapshotIndex < before.lastIndex ? view.entryAt(before.lastIndex)?.term : before.lastTerm
    if (kept !== before.lastTerm && before.lastIndex > before.commitIndex) hit('an uncommitted entry was overwritten')
    const isOther = ({ shard, id, entryAt }: ReplicaView): boolean =>
      shard === view.shard && id !== view.id && (entryAt(view.lastIndex)?.term ?? view.lastTerm) !== view.lastTerm
    if (world.ofShard(view.shard).some(isOther)) hit('two members held different entries at the same index')
  }
  const onAppend = ({ message }: SentMail): void => {
    if (message.type === 'raft.append') {
      if (message.entries.length >= MANY_ENTRIES) hit('an append carried many entries')
      if (message.entries.length === 0) hit('an append carried none, to find out where a log matches')
    }
    if (message.type !== 'raft.appendRejected') return
    hit('an append was rejected')
    if (message.hintIndex < message.rejectedIndex - 1) hit('a rejection skipped more than one entry')
  }
  return {
    onMail: onAppend,
    onStep: ({ entry: of }) => {
      if (entry === of) hit('an entry of several operations was committed')
      else if (of.payload.length >= Math.max(LARGE_BYTES, world.largeValueBytes)) {
        hit('an entry as large as the broker allows was committed')
      }
      entry = of
    },
    onView: (view, before) => {
      if (!isSameLife(view, before)) return
      const hasCommitted = view.commitIndex > before.commitIndex
      if (hasCommitted && view.role === 'leader') onLeaderCommit(view, before)
      if (hasCommitted && view.role !== 'leader' && view.commitIndex > view.durableIndex) {
        hit('a follower knew of a commit that its own disk did not hold yet')
      }
      if (view.role === 'leader' && hasMoreToApply(view)) hit('a leader had more to apply than one turn takes')
      if ((view.role === 'leader') !== (before.role === 'leader') && hasMoreToApply(before)) {
        hit('a leader was deposed, or elected, with more to apply')
      }
      if (view.lastIndex !== before.lastIndex || view.lastTerm !== before.lastTerm) onLog(view, before)
      if (view.role === 'leader' && before.role !== 'leader' && (view.entryAt(view.commitIndex + 1)?.term ?? view.term) < view.term) {
        hit('a new leader found uncommitted entries of an older term in its log')
      }
    },
  }
})

const hasMoreToApply = ({ appliedIndex, commitIndex, durableIndex }: ReplicaView): boolean =>
  appliedIndex < Math.min(commitIndex, durableIndex)
