/** The calls in flight, against a Set. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { OpCode } from '../../actors/shard/operation.ts'
import { createCall } from '../../sdk/call.ts'
import { bytes } from '../../sdk/codec.ts'
import { createInFlight } from '../../sdk/inFlight.ts'
import { shardId } from '../../topology/ids.ts'
import type { Call } from '../../sdk/call.ts'

const callNamed = (name: string): Call => createCall({
  code: OpCode.get, name, key: name, shard: shardId(0), value: undefined, ifRevision: undefined, ttlMs: undefined,
  consistency: 'linearizable', decode: bytes.decode, timeoutMs: 1, signal: undefined, trace: '', resolve: () => {}, reject: () => {},
}, 0)

const CALLS = 8
const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(CALLS - 1)), { maxLength: 60 })

describe('the calls in flight', () => {
  test('are those of a Set', () => {
    fc.assert(fc.property(steps, (all) => {
      const calls = Array.from({ length: CALLS }, (_, i) => callNamed(`${i}`))
      const inFlight = createInFlight()
      const set = new Set<Call>()
      for (const [isAdded, index] of all) {
        const call = calls[index] as Call
        if (isAdded && !set.has(call)) {
          inFlight.add(call)
          set.add(call)
        } else {
          expect(inFlight.remove(call)).toBe(set.delete(call))
        }
        expect(inFlight.size()).toBe(set.size)
        expect(new Set(inFlight.all())).toEqual(set)
        expect(inFlight.some(({ name }) => name === '3')).toBe(set.has(calls[3] as Call))
      }
    }))
  })

  test('may go while somebody looks through them', () => {
    const inFlight = createInFlight()
    const calls = ['a', 'b', 'c'].map(callNamed)
    for (const call of calls) inFlight.add(call)
    const seen = inFlight.all().map((call) => {
      for (const other of calls) inFlight.remove(other)
      return call.name
    })
    expect(seen).toEqual(['a', 'b', 'c'])
    expect(inFlight.size()).toBe(0)
  })
})
