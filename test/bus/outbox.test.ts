/** The account of what the broker has not confirmed: when it is asked, and that a full outbox does not stay full for nothing. */

import { afterEach, expect, jest, test } from '@jest/globals'
import { createOutbox } from '../../bus/outbox.ts'

const KIB = 1_024
afterEach(() => { jest.useRealTimers() })
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
})

test('what is large leaves the last of it to what is small: refusals and beacons get through', () => {
  const { outbox } = world(1_024 * KIB)
  outbox.published(992 * KIB)
  expect([outbox.hasRoom(KIB + 1), outbox.hasRoom(KIB)]).toEqual([false, true])
  outbox.published(32 * KIB)
  expect(outbox.hasRoom(1)).toBe(false)
})

test('little asks the broker for nothing of its own: any ping confirms it, and a lost connection voids the account', async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate'] })
  const { outbox, pongs, pong } = world(1_024 * KIB)
  outbox.published(KIB)
  await turn()
  expect([pongs.length, jest.getTimerCount()]).toEqual([0, 0])
  void outbox.ping()
  outbox.published(2 * KIB)
  await pong()
  expect([pongs.length, outbox.outstandingBytes()]).toEqual([0, 2 * KIB])
  outbox.reset()
  expect(outbox.outstandingBytes()).toBe(0)
})
