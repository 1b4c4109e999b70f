/**
 * Nothing ends too late: log time, by which keys and idle sessions end, is no further behind than the clocks that a leader begins with
 * (actors/raft/wallClocks.ts). The model replays the times that leaders have stamped, so with a late one it would expire as late.
 *
 *   asks for votes ──▶ votes, with their voters' clocks ──▶ serves ──▶ appends an entry
 *
 * Every vote was given after it was asked for, and brings a clock that its voter read a tick before that at the earliest. Of the votes
 * that it has a leader goes by no clock that is further behind than all others. So when it begins to serve, log time is at least what the
 * clock that is furthest behind among its voters' showed when votes were asked for, however long they were on their way. From there it
 * runs with the leader's monotonic clock, also while the process stands still.
 *
 * Its voters are all that were any between the two: one that voted may be none any more when its leader serves.
 *
 * Which votes a leader had is not known here: where just a majority has voted, as where one is down, the clock that is furthest behind
 * does decide. Nor is a leader's own clock that leaps held against it, though it should soon lead no more.
 */

import { EntryKind } from '../../actors/raft/protocol.ts'
import { META_GROUP, nodeOf } from '../../topology/ids.ts'
import { SIM_TICK_MS } from '../options.ts'
import { WALL_START_MS } from '../wallClock.ts'
import type { Index, Term } from '../../actors/raft/protocol.ts'
import type { NodeId, ReplicaId } from '../../topology/ids.ts'
import type { GroupLedger } from '../ledger.ts'
import type { Invariant, Problem, ReplicaView } from '../view.ts'

/** Of one replica in one term. Times are virtual milliseconds. */
interface Campaign {
  readonly term: Term
  readonly askedAt: number
  /** Its log when it was last looked at. */
  readonly lastIndex: Index
  /** Until it serves. */
  readonly voters: ReadonlySet<ReplicaId>
  /** Once it serves: the least log time at the start of the run from which it could have run on. */
  readonly originMs: number | null
}

interface Group {
  readonly campaigns: Map<ReplicaId, Campaign>
  /** The least log time of what its leader appended, and what is not committed yet. */
  readonly appended: Map<Index, { readonly term: Term, readonly leastMs: number }>
}

export const createCurrentLogTime = (now: () => number, clockRateMax: number): Invariant => {
  const tickMs = SIM_TICK_MS * (1 + clockRateMax)
  const slowest = 1 - clockRateMax
  const clocks = createOffsets(now)
  const groups = new Map<number, Group>()
  const follow = ({ campaigns, appended }: Group, { id, role, term, lastIndex, isServing, configuration }: ReplicaView): void => {
    if (role !== 'candidate' && role !== 'leader') return
    const known = campaigns.get(id)
    const campaign: Campaign = known?.term === term ? known : { term, askedAt: now(), lastIndex, voters: new Set(), originMs: null }
    let { voters, originMs } = campaign
    if (originMs === null) voters = new Set([...voters, ...configuration.voters, ...configuration.outgoing])
    const readAt = campaign.askedAt - tickMs
    if (isServing) originMs ??= WALL_START_MS + clocks.leastOf(voters, readAt) + (readAt - now()) * slowest - ROUNDING_MS
    campaigns.set(id, { ...campaign, lastIndex, voters, originMs })
    if (originMs === null) return
    const leastMs = originMs + now() * slowest
    for (let index = campaign.lastIndex + 1; index <= lastIndex; index += 1) appended.set(index, { term, leastMs })
  }

  const judge = ({ appended }: Group, { shard }: ReplicaView, { lines }: GroupLedger): Problem => {
    for (const [index, { term, leastMs }] of appended) {
      const line = lines[index - 1]
      if (line === undefined) continue
      appended.delete(index)
      const lateMs = leastMs - line.timeMs
      if (lateMs > 0 && line.entry.term === term && line.entry.kind === EntryKind.batch) {
        return `log time of shard ${shard} is ${line.timeMs} at index ${index}: ${Math.ceil(lateMs)} ms behind the clocks`
      }
    }
    return null
  }
  return {
    name: 'log time is not behind the clocks',
    check: (view, ledger) => {
      clocks.note(view)
      if (view.shard === META_GROUP) return null
      const group = groups.get(view.shard) ?? { campaigns: new Map(), appended: new Map() }
      groups.set(view.shard, group)
      follow(group, view)
      return judge(group, view, ledger)
    },
  }
}

/** Wall clocks and log time are whole milliseconds, and a timer takes one at least. */
const ROUNDING_MS = 3

interface Offsets {
  readonly note: (view: ReplicaView) => void
  /** The least that any voter's clock was ahead by from that time on. */
  readonly leastOf: (voters: ReadonlySet<ReplicaId>, since: number) => number
}

/** What each node's clock was ahead by, from when on, as its own events have read it; the newest first. */
const createOffsets = (now: () => number): Offsets => {
  const seen = new Map<NodeId, readonly { readonly from: number, readonly offsetMs: number }[]>()
  return {
    note: ({ id, wallOffsetMs: offsetMs }) => {
      const offsets = seen.get(nodeOf(id)) ?? []
      if (offsets[0]?.offsetMs !== offsetMs) seen.set(nodeOf(id), [{ from: now(), offsetMs }, ...offsets])
    },
    leastOf: (voters, since) => {
      let leastMs = Number.POSITIVE_INFINITY
      for (const voter of voters) {
        for (const { from, offsetMs } of seen.get(nodeOf(voter)) ?? []) {
          leastMs = Math.min(leastMs, offsetMs)
          if (from <= since) break
        }
      }
      return leastMs
    },
  }
}
