/** Frames: what goes in comes out, and nothing else is ever taken. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createFrameEncoder, decodeFrame } from '../../bus/codec/frame.ts'
import { clusterHashOf, openEnvelope } from '../../bus/envelope.ts'
import { bootId, clusterId, replicaId, shardId } from '../../topology/ids.ts'
import { frameMessage, peer, raftMessages, self } from './messages.ts'
import type { DecodedFrame, FrameEncoderOptions, FrameMessage } from '../../bus/codec/frame.ts'
import type { RaftMessage } from '../../actors/raft/protocol.ts'
import type { ActorMessage } from '../../bus/messages.ts'

const envelope = { boot: bootId('00112233445566ff'), clusterHash: clusterHashOf(clusterId('0123456789abcdef')) }
const HEAD_BYTES = 15

interface Encoded {
  readonly frames: readonly Buffer[]
  readonly counts: readonly number[]
  readonly outcomes: readonly (number | 'tooLarge')[]
}

const encode = (messages: readonly FrameMessage[], limits: Partial<FrameEncoderOptions> = {}): Encoded => {
  const frames: Buffer[] = []
  const counts: number[] = []
  const encoder = createFrameEncoder({
    from: peer, to: self, envelope, bytesTarget: 600_000, bytesMax: 1_048_576, ...limits,
    onFrame: (frame, count) => {
      frames.push(Buffer.from(frame))
      counts.push(count)
    },
  })
  const outcomes = messages.map(({ to, message }) => encoder.add(to, message))
  encoder.seal()
  return { frames, counts, outcomes }
}

const decode = (bytes: Uint8Array): DecodedFrame => {
  const opened = openEnvelope(bytes)
  return opened.ok ? decodeFrame(opened.body, { from: peer, self }) : { ok: false, reason: opened.detail }
}

const only = (frames: readonly Buffer[]): Buffer => {
  expect(frames).toHaveLength(1)
  return frames[0] as Buffer
}

const mail = (message: RaftMessage): ActorMessage => ({ type: 'raft', from: replicaId(peer, 1), to: replicaId(self, 1), message })
const heartbeat = mail({ type: 'raft.heartbeat', term: 3, commitIndex: 9, round: 4 })
const appendOf = (payload: Uint8Array): ActorMessage => mail({
  type: 'raft.append', term: 3, prevTerm: 2, prevIndex: 10, commitIndex: 9, entries: [{ term: 3, index: 11, kind: 1, payload }],
})

/** A message body by hand: address raft/0, the kind, and the bytes. */
const rawMessage = (kind: number, body: readonly number[], length = body.length): Buffer => {
  const head = Buffer.alloc(10)
  head.writeUInt8(kind, 5)
  head.writeUInt32BE(length, 6)
  return Buffer.concat([head, Buffer.from(body)])
}
const headOf = (): Buffer => only(encode([{ to: 'raft/0', message: heartbeat }]).frames).subarray(0, HEAD_BYTES)
const frameOf = (...messages: readonly Buffer[]): Buffer => Buffer.concat([headOf(), ...messages])

const u53 = (value: number): number[] => [...Buffer.from(value.toString(16).padStart(16, '0'), 'hex')]
const u32 = (value: number): number[] => u53(value).slice(4)
/** A request's head up to its one operation: reply to `node`, batch 1, policy slot, term 1, linearizable. */
const toNode = [4, 0x6e, 0x6f, 0x64, 0x65]
const requestHead = [...toNode, ...u53(1), 0, ...u53(1), 0, 0, 1]
const generations = [...u32(1), ...u32(1)]

describe('a frame', () => {
  test('decodes to the messages that were encoded, in order', () => {
    fc.assert(fc.property(fc.array(frameMessage, { minLength: 1, maxLength: 8 }), (messages) => {
      const decoded = decode(only(encode(messages).frames))
      expect(decoded).toEqual({ ok: true, messages })
    }), { numRuns: 500 })
  })

  test.each(raftMessages.map((arbitrary, i) => [i, arbitrary] as const))('carries Raft message kind %i + 1', (_kind, arbitrary) => {
    fc.assert(fc.property(arbitrary, (message) => {
      const messages = [{ to: 'raft/5', message: mail(message) }]
      expect(decode(only(encode(messages).frames))).toEqual({ ok: true, messages })
    }), { numRuns: 50 })
  })

  test('that is cut short anywhere is refused or is a shorter valid frame', () => {
    fc.assert(fc.property(fc.array(frameMessage, { minLength: 1, maxLength: 3 }), (messages) => {
      const frame = only(encode(messages).frames)
      for (let length = 0; length < frame.length; length += 1) {
        const decoded = decode(frame.subarray(0, length))
        if (decoded.ok) expect(decoded.messages).toEqual(messages.slice(0, decoded.messages.length))
      }
    }), { numRuns: 60 })
  })

  test('with any byte changed is refused or decodes to messages that encode again, and never throws', () => {
    const changed = fc.tuple(fc.array(frameMessage, { minLength: 1, maxLength: 4 }), fc.nat(), fc.integer({ min: 0, max: 255 }))
    let refused = 0
    fc.assert(fc.property(changed, ([messages, at, byte]) => {
      const frame = only(encode(messages).frames)
      frame[at % frame.length] = byte
      const decoded = decode(frame)
      if (!decoded.ok) {
        refused += 1
        expect(decoded.reason.length).toBeGreaterThan(0)
        return
      }
      const again = decode(only(encode(decoded.messages).frames))
      expect(again).toEqual(decoded)
    }), { numRuns: 3_000 })
    expect(refused).toBeGreaterThan(100)
  })

  test('of random bytes never throws', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      expect(typeof decode(Buffer.concat([headOf(), noise])).ok).toBe('boolean')
      expect(typeof decode(noise).ok).toBe('boolean')
    }), { numRuns: 2_000 })
  })

  test.each([
    ['no message', frameOf(), /at least one/],
    ['an unknown message kind', frameOf(rawMessage(200, [])), /kind 200/],
    ['message kind 0', frameOf(rawMessage(0, [])), /kind 0/],
    ['an unknown address kind', frameOf(Buffer.from([9, 0, 0, 0, 0])), /address kind 9/],
    ['an address that is no word', frameOf(Buffer.from([16, 2, 0x41, 0x2f])), /address is a word/],
    ['a message longer than the frame', frameOf(rawMessage(2, [1, 2], 3)), /does not fit/],
    ['a length of 4 GiB', frameOf(rawMessage(2, [], 0xffff_ffff)), /does not fit/],
    ['a byte too many in a message', frameOf(rawMessage(2, [...generations, ...u53(1), 0])), /1 bytes too many/],
    ['a message that is too short for its kind', frameOf(rawMessage(2, [...generations, 0])), /8 bytes are wanted/],
    ['generation 0', frameOf(rawMessage(2, [0, 0, 0, 0, 0, 0, 0, 1, ...u53(1)])), /at least 1/],
    ['a number above 2^53-1', frameOf(rawMessage(2, [...generations, 0, 0x20, 0, 0, 0, 0, 0, 0])), /2\^53/],
    ['an unknown reason', frameOf(rawMessage(3, [...generations, ...u53(1), 6])), /reason/],
    ['a boolean of 2', frameOf(rawMessage(11, [...generations, ...u53(1), ...u53(1), 2])), /neither 0 nor 1/],
    ['a vote for no node', frameOf(rawMessage(16, [
      ...generations, ...u32(1), ...u53(1), 1, 0x41, ...u32(1), ...u53(1), ...u53(1),
    ])), /names a node/],
    ['a chunk beyond its snapshot', frameOf(rawMessage(12, [
      ...generations, ...u53(1), ...u53(1), ...u53(1), ...u53(5), ...u53(6), ...u32(0), ...u32(2), 1, 2,
    ])), /beyond its snapshot/],
    ['too many entries', frameOf(rawMessage(7, [...generations, ...u53(3), ...u53(1), ...u53(1), ...u53(1), ...u32(65_537)])), /65537/],
    ['entries beyond the last index', frameOf(rawMessage(7, [
      ...generations, ...u53(3), ...u53(1), ...u53(Number.MAX_SAFE_INTEGER), ...u53(1), ...u32(1),
    ])), /last index/],
    ['an entry of a later term than the message', frameOf(rawMessage(7, [
      ...generations, ...u53(3), ...u53(1), ...u53(1), ...u53(1), ...u32(1), ...u53(4), 0, ...u32(0),
    ])), /never fall/],
    ['an entry of an earlier term than the one before', frameOf(rawMessage(7, [
      ...generations, ...u53(3), ...u53(2), ...u53(1), ...u53(1), ...u32(1), ...u53(1), 0, ...u32(0),
    ])), /never fall/],
    ['an unknown entry kind', frameOf(rawMessage(7, [
      ...generations, ...u53(3), ...u53(1), ...u53(1), ...u53(1), ...u32(1), ...u53(3), 3, ...u32(0),
    ])), /entry kind 3/],
    ['a payload that is not there', frameOf(rawMessage(7, [
      ...generations, ...u53(3), ...u53(1), ...u53(1), ...u53(1), ...u32(1), ...u53(3), 1, ...u32(60_000_000),
    ])), /60000000 bytes are wanted/],
    ['a payload above any limit', frameOf(rawMessage(7, [
      ...generations, ...u53(3), ...u53(1), ...u53(1), ...u53(1), ...u32(1), ...u53(3), 1, ...u32(0xffff_ffff),
    ])), /above its limit/],
    ['a request that nobody waits for', frameOf(rawMessage(64, [0])), /waits for its reply/],
    ['an unknown policy', frameOf(rawMessage(64, [...toNode, ...u53(1), 3])), /choices/],
    ['a batch that is too large', frameOf(rawMessage(65, [...u32(1), ...u53(1), 0xff, 0xff])), /65535/],
    ['an unknown operation', frameOf(rawMessage(64, [...requestHead, 99])), /code 99/],
    ['unknown flags of an operation', frameOf(rawMessage(64, [...requestHead, 1, 32])), /flags 32/],
    ['a key that is too long', frameOf(rawMessage(64, [...requestHead, 1, 0, 4, 1])), /1025/],
    ['a request id that is too long', frameOf(rawMessage(64, [
      ...requestHead, 1, 16, 0, 0, 65, ...Array.from({ length: 65 }, () => 65),
    ])), /65 bytes/],
    ['an unknown status', frameOf(rawMessage(65, [...u32(1), ...u53(1), 0, 1, 99, 0])), /status/],
    ['a result that is definite and indefinite', frameOf(rawMessage(65, [...u32(1), ...u53(1), 0, 1, 0, 12, ...u53(1)])), /both/],
  ])('with %s is refused', (_name, frame, reason) => {
    expect(decode(frame)).toMatchObject({ ok: false, reason: expect.stringMatching(reason) })
  })

  test('of more messages than its limit is refused', () => {
    const accepted = rawMessage(17, [...generations, ...u32(1)])
    expect(decode(Buffer.concat([headOf(), ...Array.from({ length: 65_537 }, () => accepted)])))
      .toMatchObject({ ok: false, reason: expect.stringMatching(/at most 65536/) })
  })

  test('gives the receiver bytes of its own', () => {
    const frame = only(encode([{ to: 'raft/1', message: heartbeat }, { to: 'raft/1', message: appendOf(Buffer.from('kept')) }]).frames)
    const decoded = decode(frame)
    frame.fill(0xdb)
    const entries = [{ payload: new TextEncoder().encode('kept') }]
    expect(decoded).toMatchObject({ ok: true, messages: [{}, { message: { message: { entries } } }] })
  })
})

describe('a frame encoder', () => {
  test('seals a frame before the message that would take it past its target', () => {
    const message = appendOf(Buffer.alloc(100))
    const size = only(encode([{ to: 'raft/1', message }]).frames).length - HEAD_BYTES
    const messages = Array.from({ length: 7 }, () => ({ to: 'raft/1', message }))
    const { frames, counts } = encode(messages, { bytesTarget: HEAD_BYTES + 3 * size })
    expect(counts).toEqual([3, 3, 1])
    const all = frames.flatMap((frame) => {
      const decoded = decode(frame)
      return decoded.ok ? decoded.messages : []
    })
    expect(all).toEqual(messages)
    for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(HEAD_BYTES + 3 * size)
  })

  test('sends a message above the target alone', () => {
    const large = { to: 'raft/1', message: appendOf(Buffer.alloc(5_000)) }
    const small = { to: 'raft/1', message: heartbeat }
    const { frames, counts } = encode([small, large, small], { bytesTarget: 1_000 })
    expect(counts).toEqual([1, 1, 1])
    expect(frames.map((frame) => decode(frame))).toEqual([small, large, small].map((message) => ({ ok: true, messages: [message] })))
  })

  test('leaves out a message that no broker would carry, and only that one', () => {
    const fitting = appendOf(Buffer.alloc(1_000))
    const bytesMax = only(encode([{ to: 'raft/1', message: fitting }]).frames).length
    const messages = [
      { to: 'raft/1', message: heartbeat }, { to: 'raft/1', message: appendOf(Buffer.alloc(1_001)) }, { to: 'raft/1', message: fitting },
    ]
    const { frames, outcomes } = encode(messages, { bytesTarget: 500, bytesMax })
    expect(outcomes).toEqual([expect.any(Number), 'tooLarge', bytesMax - HEAD_BYTES])
    expect(frames.map((frame) => frame.length)).toEqual([expect.any(Number), bytesMax])
  })

  test('seals nothing when nothing was added, and can be used again', () => {
    const frames: Buffer[] = []
    const encoder = createFrameEncoder({
      from: peer, to: self, envelope, bytesTarget: 1_000, bytesMax: 2_000, onFrame: (frame) => frames.push(Buffer.from(frame)),
    })
    encoder.seal()
    encoder.add('raft/1', heartbeat)
    encoder.seal()
    encoder.seal()
    encoder.add('raft/1', heartbeat)
    encoder.seal()
    expect(frames).toHaveLength(2)
    expect(frames[0]).toEqual(frames[1])
  })

  test('seals a frame that has reached its limit of messages', () => {
    const { counts } = encode(Array.from({ length: 65_537 }, () => ({ to: 'raft/1', message: mail({ type: 'raft.timeoutNow', term: 1 }) })),
      { bytesTarget: 8_000_000, bytesMax: 8_000_000 })
    expect(counts).toEqual([65_536, 1])
  })

  test('stops the process rather than speak for another node or send what can not be said', () => {
    const foreign: ActorMessage = { ...(heartbeat as Extract<ActorMessage, { type: 'raft' }>), from: replicaId(self, 1) }
    expect(() => encode([{ to: 'raft/1', message: foreign }])).toThrow(/two nodes/)
    expect(() => encode([{ to: 'Raft 1', message: heartbeat }])).toThrow(/is an address/)
    const gap = mail({
      type: 'raft.append', term: 3, prevTerm: 2, prevIndex: 10, commitIndex: 9,
      entries: [{ term: 3, index: 12, kind: 0, payload: Buffer.alloc(0) }],
    })
    expect(() => encode([{ to: 'raft/1', message: gap }])).toThrow(/without a gap/)
    expect(() => encode([{ to: 'raft/1', message: mail({ type: 'raft.timeoutNow', term: -1 }) }])).toThrow(/whole number/)
    expect(() => encode([{ to: 'raft/1', message: mail({ type: 'raft.timeoutNow', term: 0.5 }) }])).toThrow(/whole number/)
  })

  test('cuts an overlong sentence of an error, and a clock before 1970', () => {
    const reply: ActorMessage = {
      type: 'shard.reply', shard: shardId(1), batch: 1, results: [{ status: 'INVALID', revision: 0, message: 'x'.repeat(5_000) }],
    }
    expect(decode(only(encode([{ to: 'node', message: reply }]).frames)))
      .toMatchObject({ ok: true, messages: [{ message: { results: [{ message: 'x'.repeat(1_024) }] } }] })
    const vote = mail({ type: 'raft.voteGranted', term: 1, wallMs: -5.5 })
    expect(decode(only(encode([{ to: 'raft/1', message: vote }]).frames)))
      .toMatchObject({ ok: true, messages: [{ message: { message: { wallMs: 0 } } }] })
  })
})
