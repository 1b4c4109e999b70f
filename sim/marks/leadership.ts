/** Leadership: how it is lost, how it moves, and who believes to have it. */

import { nodeOf } from '../../topology/ids.ts'
import { defineSubject, isSameLife } from './mark.ts'
import type { ReplicaView } from '../view.ts'

interface Transfer {
  readonly from: string
  readonly to: string
  readonly term: number
  /** Where the log of the one who leaves ended. */
  readonly lastIndex: number
}

export const leadership = defineSubject('leadership', [
  'a deposed leader had not noticed its successor yet',
  'a leader stepped down for a newer term',
  'a leader stepped down for want of a quorum',
  'a leader stepped down because nothing committed',
  'a leader stepped down because its clock leapt ahead',
  'a leader lost its leadership before its first entry committed',
  'the same member won two terms in a row',
  'a member led again after another had',
  'a leader told a chosen member to stand',
  'leadership moved to the chosen member',
  'a leader went on after a transfer that came to nothing',
  'a leadership was moved by hand',
  'one node led every shard',
  'every shard was led by another node',
], (hit, world) => {
  const leaders = new Map<number, string[]>()
  const transfers = new Map<number, Transfer>()

  const onLost = (view: ReplicaView, before: ReplicaView): void => {
    if (view.term > before.term) hit('a leader stepped down for a newer term')
    const newest = world.ledgerOf(view.shard)?.lines.findLast(({ entry }) => entry.term <= before.term)
    if ((newest?.entry.term ?? 0) < before.term) hit('a leader lost its leadership before its first entry committed')
  }
  const onWon = (view: ReplicaView): void => {
    const { shard, id, term } = view
    if (world.ofShard(shard).some((other) => other.id !== id && other.role === 'leader' && other.term < term)) {
      hit('a deposed leader had not noticed its successor yet')
    }
    const before = leaders.get(shard) ?? []
    if (before.at(-1) === id) hit('the same member won two terms in a row')
    else if (before.includes(id)) hit('a member led again after another had')
    leaders.set(shard, [...before, id])
    const transfer = transfers.get(shard)
    if (transfer?.to === id && transfer.term === term - 1) hit('leadership moved to the chosen member')
    onSpread()
  }
  const onSpread = (): void => {
    if (world.shards < 2) return
    const nodes = Array.from({ length: world.shards }, (_, shard) => world.leaderOf(shard)).map((view) => view && nodeOf(view.id))
    if (nodes.includes(undefined)) return
    if (new Set(nodes).size === 1) hit('one node led every shard')
    if (new Set(nodes).size === world.shards) hit('every shard was led by another node')
  }
  const onLeading = ({ shard, id, term, lastIndex }: ReplicaView): void => {
    const transfer = transfers.get(shard)
    if (transfer?.from !== id || transfer.term !== term || lastIndex <= transfer.lastIndex) return
    hit('a leader went on after a transfer that came to nothing')
    transfers.delete(shard)
  }
  return {
    onMail: ({ shard, from, to, message }) => {
      if (message.type !== 'raft.timeoutNow') return
      hit('a leader told a chosen member to stand')
      const lastIndex = world.ofShard(shard).find(({ id }) => id === from)?.lastIndex ?? 0
      transfers.set(shard, { from, to, term: message.term, lastIndex })
    },
    onLine: ({ what, details }) => {
      if (what === 'fault' && details.startsWith('handOver')) hit('a leadership was moved by hand')
      if (what !== 'raft') return
      if (details.endsWith('no quorum answered within an election timeout')) hit('a leader stepped down for want of a quorum')
      if (details.endsWith('nothing commits: another may do better')) hit('a leader stepped down because nothing committed')
      if (details.endsWith('its wall clock leapt ahead: log time is late')) hit('a leader stepped down because its clock leapt ahead')
    },
    onView: (view, before) => {
      if (!isSameLife(view, before)) return
      if (before.role === 'leader' && (view.role !== 'leader' || view.term > before.term)) onLost(view, before)
      if (view.role === 'leader' && before.role !== 'leader') onWon(view)
      else if (view.role === 'leader') onLeading(view)
    },
  }
})
