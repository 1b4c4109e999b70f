/** Copies that share memory with their neighbours are their owner's all the same. */

import { describe, expect, test } from '@jest/globals'
import { copyOfValue } from '../../sdk/shortValues.ts'

const value = (n: number, length: number): Uint8Array => new Uint8Array(length).fill(n & 0xff)

describe('a copy of a value', () => {
  test('is like the value, and nobody else writes to it: neither its source, nor later copies, nor their owners', () => {
    const lengths = [1, 128, 0, 1_000, 1_024, 7, 8_192, 1_025, 9]
    const source = new Uint8Array(8_192)
    const copies = Array.from({ length: 200 }, (_, n) => {
      const length = lengths[n % lengths.length] ?? 0
      source.fill(n)
      return copyOfValue(source.subarray(0, length))
    })
    source.fill(0xff)
    const isWhole = (n: number): boolean => Buffer.compare(copies[n] ?? source, value(n, lengths[n % lengths.length] ?? 0)) === 0
    const numbers = [...copies.keys()]
    expect(numbers.filter((n) => !isWhole(n))).toEqual([])
    for (const n of numbers) if (n % 2 === 0) copies[n]?.fill(0xee)
    expect(numbers.filter((n) => n % 2 === 1 && !isWhole(n))).toEqual([])
  })

  test('begins where any typed array may, and is no Buffer: a slice of it is a copy', () => {
    copyOfValue(value(1, 3))
    const copy = copyOfValue(new Uint8Array(new Float64Array([1.5, -2]).buffer))
    expect([...new Float64Array(copy.buffer, copy.byteOffset, 2)]).toEqual([1.5, -2])
    expect(Buffer.isBuffer(copy)).toBe(false)
    expect(copy.slice().buffer.byteLength).toBe(16)
  })

  test('has memory of its own above 1 KiB, which may go to another thread; memory that is shared stays', () => {
    const long = copyOfValue(value(1, 1_025))
    expect(long.buffer.byteLength).toBe(1_025)
    expect(structuredClone(long, { transfer: [long.buffer as ArrayBuffer] })).toHaveLength(1_025)
    const short = copyOfValue(value(1, 128))
    // Node 20 passes over it, later ones refuse.
    try {
      structuredClone(short, { transfer: [short.buffer as ArrayBuffer] })
    } catch (error) {
      expect(error).toMatchObject({ name: 'DataCloneError' })
    }
    expect(short).toEqual(value(1, 128))
  })
})
