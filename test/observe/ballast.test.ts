/** The buffers by which V8 is made to collect: how many there are, and that none of them can end a node. */

import { expect, test } from '@jest/globals'
import { BALLAST_BYTES, createBallast } from '../../observe/ballast.ts'

test('asks for as much as V8 needs and no more, until a collection has been', () => {
  const sizes: number[] = []
  const ballast = createBallast((bytes) => {
    sizes.push(bytes)
    return new ArrayBuffer(1)
  })
  for (let i = 0; i < 10; i += 1) ballast.add()
  expect([sizes, ballast.bytes()]).toEqual([[BALLAST_BYTES, BALLAST_BYTES, BALLAST_BYTES, BALLAST_BYTES], 4 * BALLAST_BYTES])
  ballast.drop()
  ballast.add()
  expect(sizes.length).toBe(5)
})

test('where there is no memory for it, nothing is counted, and the next time is as the first', () => {
  let isThere = false
  const ballast = createBallast(() => {
    if (!isThere) throw new RangeError('Array buffer allocation failed')
    return new ArrayBuffer(1)
  })
  for (let i = 0; i < 10; i += 1) ballast.add()
  expect(ballast.bytes()).toBe(0)
  isThere = true
  ballast.add()
  expect(ballast.bytes()).toBe(BALLAST_BYTES)
})
