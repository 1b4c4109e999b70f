/** What is done to a stopped node's files, and to a process' limits: that it is done. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRandom } from '../../actors/kernel/random.ts'
import { limitOpenFiles } from '../../chaos/ground/openFiles.ts'
import { damaged } from '../../chaos/nemeses/bitFlips.ts'

const reserved = (used: Uint8Array): Uint8Array => Uint8Array.from([...used, ...new Uint8Array(64)])

describe('a file of a stopped node', () => {
  test('has a bit flipped, or is cut, where something is written', () => {
    const kinds = new Set<string>()
    fc.assert(fc.property(fc.nat(), fc.uint8Array({ minLength: 2, maxLength: 40 }), (seed, bytes) => {
      const used = Uint8Array.from([...bytes, 1])
      const { what, bytes: after } = damaged(createRandom(seed), reserved(used))
      const at = Number(/at (\d+)$/.exec(what)?.[1])
      kinds.add(what.slice(0, 3))
      expect(at).toBeLessThan(used.length)
      const before = reserved(used)
      if (what.startsWith('cut')) expect([...after]).toEqual([...before.subarray(0, at)])
      else expect([...after].flatMap((byte, i) => (byte === before[i] ? [] : [i]))).toEqual([at])
    }), { numRuns: 200 })
    expect(kinds).toEqual(new Set(['cut', 'fli']))
  })
})

describe('the open files of a process', () => {
  test('are limited, or it is said that they are not', async () => {
    const child = spawn('sleep', ['60'])
    const ended = once(child, 'exit')
    try {
      await once(child, 'spawn')
      const pid = child.pid ?? 0
      limitOpenFiles(pid, 9)
      expect(/^Max open files +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1]).toBe('9')
      expect(() => limitOpenFiles(pid, -5)).toThrow(/can not be limited to -5 by prlimit/)
    } finally {
      child.kill('SIGKILL')
    }
    await ended
    expect(() => limitOpenFiles(child.pid ?? 0, 9)).not.toThrow()
  })
})
