/** Scrapers that ask too often or at once: a twentieth of the thread is theirs, and nobody gets an old text. */

import { expect, test } from '@jest/globals'
import { paced } from '../../../observe/metrics/pace.ts'
import { createVirtualWorld } from '../../support/virtual.ts'
import type { Render } from '../../../observe/metrics/pace.ts'

const TOOK_MS = 35
const RESTS_MS = 19 * TOOK_MS

interface Staged {
  readonly ask: Render
  /** What was asked for and answered, with when it was read. */
  readonly answered: readonly string[]
  readonly renders: () => number
  readonly pass: (ms: number) => Promise<void>
}

/** Writing down takes `tookMs`. */
const stage = (tookMs = TOOK_MS, render?: Render): Staged => {
  const { clock, pass } = createVirtualWorld()
  let spentMs = 0
  let renders = 0
  const answered: string[] = []
  const now = (): number => clock.now() + spentMs
  const ask = paced(render ?? (async (isOpenMetrics) => {
    renders += 1
    const text = `${isOpenMetrics ? 'open' : 'text'} of ${Math.round(now())}`
    spentMs += tookMs
    return { contentType: '', text }
  }), { now, after: clock.after })
  const turns = async (): Promise<void> => { for (let i = 0; i < 20; i += 1) await Promise.resolve() }
  return {
    answered, renders: () => renders,
    ask: async (isOpenMetrics) => {
      const written = await ask(isOpenMetrics)
      answered.push(written.text)
      return written
    },
    pass: async (ms) => {
      await turns()
      for (let i = 0; i < ms; i += 1) {
        pass(1)
        await turns()
      }
    },
  }
}

test('one scraper is never kept waiting', async () => {
  const { ask, answered, pass } = stage()
  for (let i = 0; i < 3; i += 1) {
    void ask(false)
    await pass(1_000)
  }
  expect(answered).toEqual(['text of 0', `text of ${1_000 + TOOK_MS}`, `text of ${2_000 + 2 * TOOK_MS}`])
})

test('a hundred at once are two texts: the first, and one for all who came meanwhile, read after they asked', async () => {
  const { ask, answered, renders, pass } = stage()
  void ask(false)
  await pass(1)
  for (let i = 0; i < 100; i += 1) void ask(false)
  await pass(RESTS_MS - 10)
  expect([answered.length, renders()]).toEqual([1, 1])
  await pass(10)
  expect([answered.length, renders(), new Set(answered).size]).toEqual([101, 2, 2])
})

test('who asks in a loop has a twentieth of the thread, whatever the format', async () => {
  const { ask, renders, pass } = stage()
  // Bounded, or who is answered at once would never let go of the thread.
  const loop = async (isOpenMetrics: boolean): Promise<void> => { for (let i = 0; i < 1_000; i += 1) await ask(isOpenMetrics) }
  void loop(false)
  void loop(true)
  await pass(10_000)
  expect(renders() * TOOK_MS).toBeLessThanOrEqual(10_000 / 19 + TOOK_MS)
  expect(renders()).toBeGreaterThan(10)
})

test('nobody waits for more than a second for the one before, however long that took', async () => {
  const { ask, renders, pass } = stage(5_000)
  void ask(false)
  await pass(1)
  void ask(false)
  await pass(1_000)
  expect(renders()).toBe(2)
})

test('one that fails is told to who asked, and keeps nobody else waiting', async () => {
  let attempts = 0
  const { ask, pass } = stage(0, async () => {
    attempts += 1
    if (attempts === 1) throw new Error('planted')
    return { contentType: '', text: 'well' }
  })
  await expect(ask(false)).rejects.toThrow('planted')
  const next = ask(false)
  await pass(1)
  expect(await next).toMatchObject({ text: 'well' })
})
