/** The batch door's frames: what goes in comes out, and nothing else is ever taken. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { must } from '../../actors/kernel/assert.ts'
import { BATCH_OPERATIONS_MAX, OpCode } from '../../actors/shard/operation.ts'
import { createWriter } from '../../bus/bytes.ts'
import { WRITE_BYTES_MAX, batchHeadOf, decodeClientFrame, encodeClientFrame } from '../../bus/codec/batch.ts'
import { encodeControl, isControlAnswer } from '../../bus/codec/control.ts'
import { createResultsEncoder, decodeNodeFrame, encodeNodeFrame, viewNodeFrame } from '../../bus/codec/batchAnswers.ts'
import { nodeId, shardId } from '../../topology/ids.ts'
import { operation, result } from './messages.ts'
import type { Batch, ClientFrame } from '../../bus/codec/batch.ts'
import type { BatchResults, NodeFrame, ResultRow } from '../../bus/codec/batchAnswers.ts'

const session = fc.constantFrom('0123456789abcdef', '0000000000000000', 'ffffffffffffffff')
const u32 = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constant(0xffff_ffff))
const shard = fc.integer({ min: 0, max: 1_023 }).map(shardId)
/** Version, kind, session, sequence, timeout, consistency and the number of groups. */
const HEAD_BYTES = 1 + 1 + 8 + 4 + 4 + 1 + 2
const plain = { noNullPrototype: true } as const

const batch: fc.Arbitrary<Batch> = fc.record({
  kind: fc.constant('batch' as const),
  session,
  sequence: u32,
  timeoutMs: u32,
  consistency: fc.constantFrom('linearizable' as const, 'lease' as const, 'stale' as const),
  groups: fc.array(fc.record({ shard, operations: fc.array(operation, { minLength: 1, maxLength: 4 }) }, plain), { maxLength: 4 }),
}, plain)
const clientFrame: fc.Arbitrary<ClientFrame> = fc.oneof(
  batch,
  fc.record({ kind: fc.constant('hello' as const), protocol: fc.integer({ min: 0, max: 0xffff }) }, plain),
  fc.record({ kind: fc.constant('bye' as const), session }, plain),
)
const row: fc.Arbitrary<ResultRow> = fc.record({ position: fc.integer({ min: 0, max: BATCH_OPERATIONS_MAX - 1 }), shard, result }, plain)
const results: fc.Arbitrary<BatchResults> = fc.record({
  kind: fc.constant('results' as const), session, sequence: u32, isLast: fc.boolean(), rows: fc.array(row, { maxLength: 6 }),
}, plain)
const nodeFrame: fc.Arbitrary<NodeFrame> = fc.oneof(
  results,
  fc.record({
    kind: fc.constant('welcome' as const), session, node: fc.constantFrom(nodeId('n1'), nodeId('a-32-characters-long-node-name-x')),
    shardCount: fc.integer({ min: 1, max: 1_024 }), epoch: fc.maxSafeNat(),
  }, plain),
  fc.record({ kind: fc.constant('refused' as const), sequence: fc.nat(), result }, plain),
)

const framesOf = (frame: Omit<BatchResults, 'kind'>, bytesMax = 1_000_000): Uint8Array[] => {
  const frames: Uint8Array[] = []
  createResultsEncoder({ bytesMax, onFrame: (bytes) => frames.push(new Uint8Array(bytes)) }).encode(frame)
  return frames
}
const encodeNode = (frame: NodeFrame): Uint8Array =>
  (frame.kind === 'results' ? must(framesOf(frame)[0], 'results make a frame') : encodeNodeFrame(frame))
const resultsOf = (bytes: Uint8Array): BatchResults => {
  const decoded = decodeNodeFrame(bytes)
  if (!decoded.ok || decoded.frame.kind !== 'results') throw new Error(`these are no results: ${JSON.stringify(decoded)}`)
  return decoded.frame
}

const reused = createWriter(WRITE_BYTES_MAX)

const directions = [
  ['a client', clientFrame, encodeClientFrame, decodeClientFrame],
  ['a client, in a writer that is used again', clientFrame, (frame: ClientFrame) => encodeClientFrame(frame, reused), decodeClientFrame],
  ['a node', nodeFrame, encodeNode, decodeNodeFrame],
  ['a node, viewed', nodeFrame, encodeNode, viewNodeFrame],
] as unknown as readonly (readonly [string, fc.Arbitrary<object>, (frame: object) => Uint8Array, typeof decodeNodeFrame])[]

describe.each(directions)('a frame of %s', (_name, frames, encode, decode) => {
  test('decodes to what was encoded', () => {
    fc.assert(fc.property(frames, (frame) => {
      expect(decode(encode(frame))).toEqual({ ok: true, frame })
    }), { numRuns: 500 })
  })

  test('that is cut short, or has a byte too many, is refused', () => {
    fc.assert(fc.property(frames, (frame) => {
      const bytes = encode(frame)
      // One expectation for all of them: that it is called takes longer than to decode.
      const taken = [...bytes.keys()].filter((length) => decode(bytes.subarray(0, length)).ok)
      expect(taken).toEqual([])
      expect(decode(Buffer.concat([bytes, Buffer.alloc(1)]))).toMatchObject({ ok: false, reason: expect.stringMatching(/too many/) })
    }), { numRuns: 60 })
  })

  test('with any byte changed is refused with a reason, or decodes to a frame that encodes again', () => {
    let refused = 0
    fc.assert(fc.property(frames, fc.nat(), fc.integer({ min: 0, max: 255 }), (frame, at, byte) => {
      const bytes = encode(frame)
      bytes[at % bytes.length] = byte
      const decoded = decode(bytes)
      if (decoded.ok) expect(decode(encode(decoded.frame))).toEqual(decoded)
      else {
        refused += 1
        expect(decoded.reason.length).toBeGreaterThan(0)
      }
    }), { numRuns: 1_000 })
    expect(refused).toBeGreaterThan(100)
  })

  test('of random bytes is refused and never thrown', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 70 }), (noise, kind) => {
      expect(typeof decode(noise).ok).toBe('boolean')
      expect(typeof decode(Buffer.concat([Buffer.from([1, kind]), noise])).ok).toBe('boolean')
    }), { numRuns: 2_000 })
  })
})

const head = [1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 0, 0, 0, 0]
const put = { code: OpCode.put, key: 'k', value: new TextEncoder().encode('kept') }
const batchOf = (counts: readonly number[]): Batch => ({
  kind: 'batch', session: '0102030405060708', sequence: 9, timeoutMs: 100, consistency: 'linearizable',
  groups: counts.map((count, i) => ({ shard: shardId(i), operations: Array.from({ length: count }, () => put) })),
})

describe('a batch', () => {
  test.each([
    ['another version', [2, 1, 0, 1], 0, /version 2/],
    ['a kind that a node sends', [1, 65], 0, /kind 65/],
    ['sequence 0', [1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0], 0, /from 1/],
    ['an unknown consistency', [...head, 3], 9, /consistency 3/],
    ['more groups than it brought', [...head, 0, 0xff, 0xff], 9, /wanted/],
    ['an empty group', [...head, 0, 0, 1, 0, 0, 0, 0], 9, /at least one/],
    ['a shard above the limit', [...head, 0, 0, 1, 4, 0], 9, /shard 1024/],
    ['a group above the limit', [...head, 0, 0, 1, 0, 0, 0xff, 0xff], 9, /65535/],
    ['a value of 4 GiB', [...head, 0, 0, 1, 0, 0, 0, 1, 2, 1, 0, 1, 0x6b, 0xff, 0xff, 0xff, 0xff], 9, /above its limit/],
  ] as const)('with %s is refused under the sequence it could be read to have', (_name, bytes, sequence, reason) => {
    expect(decodeClientFrame(Uint8Array.from(bytes))).toEqual({ ok: false, sequence, reason: expect.stringMatching(reason) })
  })

  test('has a head that can be read without the rest, and that no other frame has', () => {
    fc.assert(fc.property(clientFrame, (frame) => {
      const bytes = encodeClientFrame(frame)
      const expected = frame.kind === 'batch' ? { session: frame.session, sequence: frame.sequence, groups: frame.groups.length } : null
      expect(batchHeadOf(bytes)).toEqual(expected)
      for (let length = 0; length < HEAD_BYTES; length += 1) expect(batchHeadOf(bytes.subarray(0, length))).toBeNull()
    }))
  })

  test('holds as many operations as any batch, over all its groups', () => {
    const full = encodeClientFrame(batchOf([BATCH_OPERATIONS_MAX - 1, 1]))
    expect(decodeClientFrame(full).ok).toBe(true)
    expect(() => encodeClientFrame(batchOf([BATCH_OPERATIONS_MAX, 1]))).toThrow(/at most/)
    const half = encodeClientFrame(batchOf([BATCH_OPERATIONS_MAX]))
    const more = encodeClientFrame(batchOf([1])).subarray(head.length + 3)
    const tooMany = Buffer.concat([half, more])
    tooMany[head.length + 2] = 2
    expect(decodeClientFrame(tooMany)).toMatchObject({ ok: false, reason: expect.stringMatching(/at most 4096/) })
  })

  test('gives the receiver values of its own', () => {
    const bytes = encodeClientFrame(batchOf([1]))
    const decoded = decodeClientFrame(bytes)
    bytes.fill(0xdb)
    expect(decoded).toEqual({ ok: true, frame: batchOf([1]) })
  })

  test('of a session that is no 16 hex digits stops its sender', () => {
    expect(() => encodeClientFrame({ kind: 'bye', session: 'nobody' })).toThrow(/16 hex digits/)
  })
})

describe('results', () => {
  test('that are viewed hold views of the frame, and cost no copy', () => {
    const [bytes = new Uint8Array(0)] = framesOf({
      session: '0123456789abcdef', sequence: 1, isLast: true,
      rows: [{ position: 0, shard: shardId(0), result: { status: 'OK', revision: 1, value: Uint8Array.of(1, 2, 3) } }],
    })
    const viewed = viewNodeFrame(bytes)
    const value = viewed.ok && viewed.frame.kind === 'results' ? viewed.frame.rows[0]?.result.value : undefined
    expect(value).toEqual(Uint8Array.of(1, 2, 3))
    expect(value?.buffer).toBe(bytes.buffer)
  })

  const rowOf = (position: number, bytes: number): ResultRow =>
    ({ position, shard: shardId(1), result: { status: 'OK', revision: position, value: new Uint8Array(bytes) } })
  const frameOf = (rows: readonly ResultRow[], isLast = true): Omit<BatchResults, 'kind'> =>
    ({ session: '0102030405060708', sequence: 9, isLast, rows })

  test('are cut into frames within the budget, of which only the last says so', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 150 }), { maxLength: 30 }), fc.boolean(), (sizes, isLast) => {
      const rows = sizes.map((bytes, position) => rowOf(position, bytes))
      const frames = framesOf(frameOf(rows, isLast), 200)
      for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(200)
      const decoded = frames.map(resultsOf)
      expect(decoded.flatMap((frame) => frame.rows)).toEqual(rows)
      expect(decoded.map((frame) => frame.isLast)).toEqual(decoded.map((_, i) => isLast && i === decoded.length - 1))
    }), { numRuns: 300 })
  })

  test('fill a frame to its last byte before the next one is begun', () => {
    const rows = [rowOf(0, 10), rowOf(1, 10)]
    const bytes = must(framesOf(frameOf(rows))[0], 'one frame').length
    expect(framesOf(frameOf(rows), bytes)).toHaveLength(1)
    expect(framesOf(frameOf(rows), bytes - 1)).toHaveLength(2)
  })

  test('of a value that no frame can carry stop the node: the door refuses it before', () => {
    expect(() => framesOf(frameOf([rowOf(0, 300)]), 200)).toThrow(/any one result/)
  })

  test.each([
    ['a kind that a client sends', [1, 1], /kind 1/],
    ['a welcome to no node', [1, 65, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0x41], /names its node/],
    ['unknown flags', [1, 66, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 2], /flags 2/],
    ['too many rows', [1, 66, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 0, 0x10, 1], /4097/],
    ['a position beyond any batch', [1, 66, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 0, 0, 1, 0x10, 0], /position 4096/],
  ] as const)('with %s are refused', (_name, bytes, reason) => {
    expect(decodeNodeFrame(Uint8Array.from(bytes))).toEqual({ ok: false, reason: expect.stringMatching(reason) })
  })
})

/** Those are all that nodes send clients without headers, to a reply subject of the client's choice (docs/TESTING.md T22). */
describe('what a client has a node send it', () => {
  const forged = encodeControl({ epoch: 1_000_000, state: new Uint8Array([1]) })

  test('is never taken for a node\'s answer: frames of the batch door, whatever is in them', () => {
    const value = fc.oneof(fc.constant(forged), fc.uint8Array({ maxLength: 40 }))
    fc.assert(fc.property(nodeFrame, value, (frame, bytes) => {
      const rows = frame.kind === 'results' ? frame.rows.map((one) => ({ ...one, result: { ...one.result, value: bytes } })) : []
      expect(isControlAnswer({ data: encodeNode(frame) })).toBe(false)
      if (frame.kind === 'results') expect(isControlAnswer({ data: encodeNode({ ...frame, rows }) })).toBe(false)
    }), { numRuns: 1_000 })
    const result = { status: 'INVALID', revision: 0, definite: true, value: forged } as const
    expect(isControlAnswer({ data: encodeNodeFrame({ kind: 'refused', sequence: 1, result }) })).toBe(false)
  })

  test.each([
    ['a stored value', forged, new Map([['Kv-Status', 'OK']])],
    ['a value with headers that can not be read', forged, new Map()],
    ['a node\'s report', new TextEncoder().encode('{"cluster":"0123456789abcdef"}'), undefined],
    ['an answer of the micro protocol', new TextEncoder().encode('{"type":"io.nats.micro.v1.ping_response"}'), undefined],
    ['nothing', new Uint8Array(0), undefined],
  ])('is never taken for a node\'s answer: %s', (_name, data, headers) => {
    expect(isControlAnswer(headers === undefined ? { data } : { data, headers })).toBe(false)
  })

  test('is told from what nodes answer nodes', () => {
    expect(isControlAnswer({ data: forged })).toBe(true)
  })
})
