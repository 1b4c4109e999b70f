/**
 * The sending side of the feed: while another node holds a lease, everything that is recorded here goes to
 * `skv.<cluster>.trace.all.<self>`, ten times a second. Nobody listens: nothing is made, kept or sent.
 *
 * A lease is renewed every second or so by whoever has watchers, and ends by itself: a watcher's node that dies leaves nothing behind.
 * Above FEED_RECORDS_MAX in a tenth of a second records are dropped; a receiver sees the gap in their numbers.
 */

import { frameOf } from './wire.ts'
import type { Cancel, Clock } from '../../actors/kernel/clock.ts'
import type { Bus } from '../../bus/port.ts'
import type { ActorRecord } from './record.ts'
import type { NodeRecorder } from './recorder.ts'

const LEASE_MS = 5_000
export const FLUSH_EVERY_MS = 100
/** Records that wait for the next flush. */
export const FEED_RECORDS_MAX = 4_096

export interface Feed {
  /** `isOwn`: this node has watchers itself; it hears its own recorder directly, but every message may be wanted. */
  readonly lease: (wish: { readonly detail: boolean; readonly isOwn: boolean }) => void
  readonly stop: () => void
}

export interface FeedOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly recorder: NodeRecorder
  readonly subject: string
  readonly frameBytesMax: () => number
}

export const createFeed = ({ bus, clock, recorder, subject, frameBytesMax }: FeedOptions): Feed => {
  let sendUntil = 0
  let detailUntil = 0
  let waiting: ActorRecord[] = []
  let stopListening: (() => void) | null = null
  let cancel: Cancel | null = null

  const keep = (record: ActorRecord): void => {
    if (waiting.length < FEED_RECORDS_MAX) waiting.push(record)
  }
  const send = (): void => {
    let records = waiting
    waiting = []
    while (records.length > 0) {
      const { list, count } = frameOf(records, frameBytesMax())
      if (bus.publish(subject, new TextEncoder().encode(`{"records":${list}}`)) !== 'sent') return
      records = records.slice(count)
    }
  }
  const listen = (isWanted: boolean): void => {
    if (isWanted) stopListening ??= recorder.listen(keep)
    else {
      stopListening?.()
      stopListening = null
      waiting = []
    }
  }
  const review = (): void => {
    cancel = null
    send()
    const now = clock.now()
    listen(now < sendUntil)
    recorder.setDetailed(now < detailUntil)
    if (now < Math.max(sendUntil, detailUntil)) cancel = clock.after(FLUSH_EVERY_MS, review)
  }
  return {
    lease: ({ detail, isOwn }) => {
      const until = clock.now() + LEASE_MS
      if (!isOwn) sendUntil = until
      if (detail) detailUntil = until
      if (cancel === null) review()
    },
    stop: () => {
      cancel?.()
      cancel = null
      listen(false)
      recorder.setDetailed(false)
    },
  }
}
