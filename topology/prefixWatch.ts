/**
 * Whether the members of one cluster serve one public prefix. Nothing else would notice a node that was started with another: its replicas
 * are as good as any, its beacons are heard, and clients find nobody at the shards that it leads.
 *
 *   asking ──more than half of the members, this node counted, say its prefix──▶ sure
 *     │  ├──more than half say another──▶ this node must not go on
 *     │  └──ASKED_FOR_MS are over, and of those heard as many say another as say its own──▶ this node must not go on
 *     └ nobody was heard, or too few: it goes on, and more than half that say another still end it
 *
 * So it is the newcomer that goes: who has been sure once stays, and tells of the others. A build from before prefixes were told says none,
 * and counts for neither side; nor does one that drains, so that the next prefix may come while the last one goes.
 *
 * A prefix is a node's own setting, and no part of the map: the broker's mapping and the clients have it too, and no commit of the cluster
 * changes theirs. It changes for the whole cluster while nobody serves (docs/OPERATIONS.md).
 */

import { ALIVE_FOR_MS, BEACON_INTERVAL_MS } from './beacon.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { Beacon } from './beacon.ts'
import type { NodeId } from './ids.ts'

/** Three beacons of each: no leadership is handed to a newcomer before that (Beacon.isSteady). */
const ASKED_FOR_MS = ALIVE_FOR_MS

export interface OtherPrefix {
  readonly node: NodeId
  readonly prefix: string
}

/** Why this node must not go on. */
export interface PrefixRefusal {
  readonly reason: string
  /** By more than half of the members. Fewer may be wrong themselves: a node that is started again meets more of them. */
  readonly isOutvoted: boolean
}

export interface PrefixWatch {
  /** Called on every tick from the first beacon on. Null: it goes on. */
  readonly onTick: (now: number) => PrefixRefusal | null
  /** The others may still say that this node must not go on: it is not ready before they had the time to. */
  readonly isAsking: () => boolean
  /** The members that serve another prefix, as of the last look, a second ago at most. */
  readonly others: () => readonly OtherPrefix[]
}

export interface PrefixWatchOptions {
  readonly self: NodeId
  readonly prefix: string
  readonly members: () => readonly NodeId[]
  readonly beacon: Pick<Beacon, 'prefixes'>
  readonly log: Logger
}

export const createPrefixWatch = ({ self, prefix, members, beacon, log }: PrefixWatchOptions): PrefixWatch => {
  let startedAt: number | null = null
  let lookedAt = Number.NEGATIVE_INFINITY
  let isAsking = true
  let isSure = false
  let others: readonly OtherPrefix[] = []
  const note = (found: readonly OtherPrefix[]): void => {
    for (const one of found) {
      if (others.some((known) => known.node === one.node && known.prefix === one.prefix)) continue
      log.warn({ from: one.node, problem: otherPrefixText(one) }, 'a member of this cluster serves another prefix')
    }
    others = found
  }
  /** Once the time is over, a tie counts against this node: at that moment, and not when somebody comes later. */
  const refusal = (ownCount: number, memberCount: number, isTimeOver: boolean): PrefixRefusal | null => {
    const isOutvoted = others.length * 2 > memberCount
    const isTied = isTimeOver && others.length > 0 && others.length >= ownCount
    return isOutvoted || isTied ? { reason: reasonOf(prefix, others), isOutvoted } : null
  }
  return {
    onTick: (now) => {
      startedAt ??= now
      if (!isAsking && now - lookedAt < BEACON_INTERVAL_MS) return null
      lookedAt = now
      const heard = beacon.prefixes(now)
      note(heard.filter((one) => one.prefix !== prefix))
      if (isSure) return null
      const ownCount = heard.length - others.length + 1
      const memberCount = new Set([...members(), self]).size
      isSure = ownCount * 2 > memberCount
      const isTimeOver = isAsking && now - startedAt >= ASKED_FOR_MS
      isAsking &&= !isSure && !isTimeOver
      return isSure ? null : refusal(ownCount, memberCount, isTimeOver)
    },
    isAsking: () => isAsking,
    others: () => others,
  }
}

const reasonOf = (own: string, others: readonly OtherPrefix[]): string => {
  const found = others.map(({ node, prefix }) => `${node} serves ${prefix}`).join(', ')
  const wanted = new Set(others.map(({ prefix }) => prefix)).size === 1 ? others[0]?.prefix ?? '' : 'PREFIX'
  return `this node was started with --prefix ${own}, and of its cluster ${found}: clients would find nobody at the shards that it leads. `
    + `Start it with --prefix ${wanted}. To change the prefix of a cluster, stop all nodes first (docs/OPERATIONS.md)`
}

/** One warning of `/readyz` a node. */
export const otherPrefixText = ({ node, prefix }: OtherPrefix): string =>
  `${node} serves the prefix ${prefix}: clients of this one do not reach it`
