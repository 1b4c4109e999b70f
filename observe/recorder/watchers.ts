/**
 * The watchers of one node: each gets what matches its filter, of this node's recorder and of every other node's feed.
 *
 * A watcher that does not take what waits for it loses what comes then, and is told how much of which node; nobody else notices. While
 * there are watchers, leases of the feed are renewed with every member, and end by themselves afterwards.
 */

import { matcherOf } from './filter.ts'
import { decodeFrame } from './wire.ts'
import { senderOf } from '../../bus/subjects.ts'
import type { Cancel, Clock } from '../../actors/kernel/clock.ts'
import type { Bus, Subscription } from '../../bus/port.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { RecordFilter } from './filter.ts'
import type { ActorRecord } from './record.ts'
import type { NodeRecorder } from './recorder.ts'

export const WATCHERS_MAX = 16
/** Records that wait for one watcher. */
export const WATCHER_RECORDS_MAX = 10_000
const RENEW_EVERY_MS = 1_000

export interface WatchWish extends RecordFilter {
  /** Every message, not only those of sampled requests. */
  readonly detail: boolean
}

export interface Seen {
  readonly records: readonly ActorRecord[]
  /** What was lost since the last time, by node. */
  readonly lost: ReadonlyMap<string, number>
}

export interface Watcher {
  /** At most `recordsMax` of what waits. */
  readonly take: (recordsMax: number) => Seen
  readonly close: () => void
}

export interface Watchers {
  /** Null: there are WATCHERS_MAX already. */
  readonly open: (wish: WatchWish) => Watcher | null
  readonly stop: () => void
}

export interface WatchersOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly recorder: NodeRecorder
  /** Of every node's feed. */
  readonly subject: string
  /** Whose feeds are heard: a name in a subject is anybody's, on a broker without permissions. */
  readonly members: () => readonly NodeId[]
  /** Asks every member, this one too, to go on. */
  readonly renew: (detail: boolean) => void
}

interface Open {
  readonly wish: WatchWish
  readonly matches: (record: ActorRecord) => boolean
  waiting: ActorRecord[]
  lost: Map<string, number>
}

export const createWatchers = (options: WatchersOptions): Watchers => {
  const { bus, clock, recorder } = options
  const open = new Set<Open>()
  /** The last number heard of each node. */
  const heard = new Map<string, number>()
  let subscription: Subscription | null = null
  let stopListening: (() => void) | null = null
  let cancel: Cancel | null = null

  const hand = (record: ActorRecord): void => {
    for (const watcher of open) if (watcher.matches(record)) offer(watcher, record)
  }
  const hear = (records: readonly ActorRecord[], from: string): void => {
    for (const record of records) {
      const last = heard.get(from)
      if (last !== undefined && record.seq > last + 1) for (const watcher of open) lose(watcher, from, record.seq - last - 1)
      heard.set(from, record.seq)
      hand(record)
    }
  }
  const begin = (): void => {
    stopListening ??= recorder.listen(hand)
    subscription ??= bus.subscribe(options.subject, ({ subject, data }) => {
      const from = senderOf(subject)
      const isHeard = from !== recorder.node && options.members().includes(from as NodeId)
      const records = isHeard ? decodeFrame(data, from) : undefined
      if (records !== undefined) hear(records, from)
    })
  }
  const end = (): void => {
    stopListening?.()
    stopListening = null
    subscription?.unsubscribe()
    subscription = null
    cancel?.()
    cancel = null
    heard.clear()
  }
  const renew = (): void => {
    options.renew([...open].some(({ wish }) => wish.detail))
    cancel = clock.after(RENEW_EVERY_MS, renew)
  }
  return {
    open: (wish) => {
      if (open.size >= WATCHERS_MAX) return null
      const watcher: Open = { wish, matches: matcherOf(wish), waiting: [], lost: new Map() }
      open.add(watcher)
      begin()
      cancel?.()
      renew()
      return {
        take: (recordsMax) => take(watcher, recordsMax),
        close: () => {
          open.delete(watcher)
          if (open.size === 0) end()
        },
      }
    },
    stop: () => {
      open.clear()
      end()
    },
  }
}

const offer = (watcher: Open, record: ActorRecord): void => {
  if (watcher.waiting.length < WATCHER_RECORDS_MAX) watcher.waiting.push(record)
  else lose(watcher, record.node, 1)
}

const lose = ({ lost }: Open, node: string, count: number): void => { lost.set(node, (lost.get(node) ?? 0) + count) }

const take = (watcher: Open, recordsMax: number): Seen => {
  const { lost } = watcher
  const records = watcher.waiting.slice(0, recordsMax)
  watcher.waiting = watcher.waiting.slice(recordsMax)
  if (lost.size > 0) watcher.lost = new Map()
  return { records, lost }
}
