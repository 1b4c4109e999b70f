/**
 * A watcher's feed as server-sent events: `records` at most ten times a second, `lost` when something did not come through, `beat` every
 * two seconds, so that a reader knows silence from a dead connection.
 *
 * A reader that is slow is written to only as far as it reads: what it does not take waits in its watcher, whose limit drops the rest. When
 * it goes, its watcher ends.
 */

import type { Seen, Watcher } from '../../observe/recorder/watchers.ts'

const LOOK_EVERY_MS = 100
const BEAT_EVERY_MS = 2_000
/** Of one event. */
const RECORDS_MAX = 2_000

export const eventStream = (watcher: Watcher): ReadableStream<Uint8Array> => {
  const encoder = new TextEncoder()
  let timer: NodeJS.Timeout | null = null
  let beatAt = 0
  const end = (): void => {
    if (timer !== null) clearInterval(timer)
    timer = null
    watcher.close()
  }
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      const look = (): void => {
        if ((controller.desiredSize ?? 0) <= 0) return
        const now = performance.now()
        const text = textOf(watcher.take(RECORDS_MAX)) + (now >= beatAt ? eventOf('beat', { at: Date.now() }) : '')
        if (now >= beatAt) beatAt = now + BEAT_EVERY_MS
        if (text !== '') controller.enqueue(encoder.encode(text))
      }
      look()
      timer = setInterval(look, LOOK_EVERY_MS)
    },
    cancel: end,
  })
}

const textOf = ({ records, lost }: Seen): string =>
  [...lost].map(([node, count]) => eventOf('lost', { node, count })).join('')
  + (records.length === 0 ? '' : eventOf('records', records))

const eventOf = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
