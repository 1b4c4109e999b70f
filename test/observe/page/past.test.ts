/** What the page begins with: a past that is whole up to now, however much has happened. */

import { expect, test } from '@jest/globals'
import { WAITING_MAX } from '../../../observe/page/intake.ts'
import { PASTS_MS, readPast } from '../../../observe/page/past.ts'
import { headLine, recordLine } from '../../../observe/recorder/recording.ts'
import type { ActorRecord } from '../../../observe/recorder/record.ts'

const NOW = 1_000_000
const head = headLine({ cluster: 'c1', madeAt: NOW, nodes: ['n1'], missing: [], from: null, to: null })
const group = (at: number): ActorRecord => ({ at, seq: at, node: 'n1', actor: 'wal', kind: 'batch', event: 'group' })

/** A cluster that tells a record every `everyMs`. */
const clusterOf = (everyMs: number) => {
  const asked: number[] = []
  let cancelled = 0
  const ask = async (from: number): Promise<ReadableStream<Uint8Array>> => {
    asked.push(NOW - from)
    let at = from
    return new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(head)),
      pull: (controller) => {
        let text = ''
        for (let i = 0; i < 500 && at < NOW; i += 1, at += everyMs) text += recordLine(group(Math.floor(at)))
        if (text === '') controller.close()
        else controller.enqueue(new TextEncoder().encode(text))
      },
      cancel: () => { cancelled += 1 },
    })
  }
  return { asked, read: () => readPast(ask, () => NOW), cancelled: () => cancelled }
}

test('a quiet cluster\'s past is the longest', async () => {
  const { asked, read } = clusterOf(100)
  const { from, records } = await read()
  expect([records.length, from]).toEqual([1_200, NOW - PASTS_MS[0]])
  expect(asked).toEqual([PASTS_MS[0]])
})

test('a busy cluster\'s past is shorter and reaches until now, and what the page can not take is not written', async () => {
  const { asked, read, cancelled } = clusterOf(2)
  const { from, records } = await read()
  expect([records.length, from, records[0]?.at, records.at(-1)?.at]).toEqual([15_000, NOW - PASTS_MS[1], NOW - PASTS_MS[1], NOW - 2])
  expect(records.length).toBeLessThanOrEqual(WAITING_MAX)
  expect([asked, cancelled()]).toEqual([PASTS_MS.slice(0, 2), 1])
})

test('where even the shortest is too much, and where there is none, the page begins with the feed', async () => {
  const nothing = { from: NOW, records: [] }
  const { asked, read, cancelled } = clusterOf(0.25)
  expect([await read(), asked, cancelled()]).toEqual([nothing, [...PASTS_MS], PASTS_MS.length])
  expect(await readPast(async () => null, () => NOW)).toEqual(nothing)
})

test('where it breaks off, the page begins with the feed', async () => {
  let asked = 0
  const breaking = async (): Promise<ReadableStream<Uint8Array>> => {
    asked += 1
    return new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(head + recordLine(group(NOW - 1)))),
      pull: (controller) => controller.error(new Error('the connection broke')),
    })
  }
  expect(await readPast(breaking, () => NOW)).toEqual({ from: NOW, records: [] })
  expect(asked).toBe(1)
})
