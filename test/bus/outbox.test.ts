/** The account of what the broker has not confirmed: when it is asked, and that a full outbox does not stay full for nothing. */

import { expect, test } from '@jest/globals'
import { createOutbox } from '../../bus/outbox.ts'

const KIB = 1_024
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

const world = (bytesMax: number) => {
  const pongs: (() => void)[] = []
  const outbox = createOutbox(() => new Promise((resolve) => { pongs.push(resolve) }), bytesMax)
  const pong = async (): Promise<void> => {
    pongs.shift()?.()
    await turn()
  }
  return { outbox, pongs, pong }
}

test('what was published while a confirmation was under way is confirmed by another at once', async () => {
  const { outbox, pongs, pong } = world(1_024 * KIB)
  outbox.published(130 * KIB)
  expect(pongs).toHaveLength(1)
  outbox.published(800 * KIB)
  expect(outbox.hasRoom(256 * KIB)).toBe(false)
  await pong()
  expect(pongs).toHaveLength(1)
  expect(outbox.outstandingBytes()).toBe(800 * KIB)
  await pong()
  expect(outbox.outstandingBytes()).toBe(0)
  expect(outbox.hasRoom(256 * KIB)).toBe(true)
  outbox.stop()
})

test('little is confirmed after an interval, and a lost connection voids the account', async () => {
  const { outbox, pongs } = world(1_024 * KIB)
  outbox.published(KIB)
  await turn()
  expect(pongs).toHaveLength(0)
  outbox.reset()
  expect(outbox.outstandingBytes()).toBe(0)
  outbox.stop()
})
