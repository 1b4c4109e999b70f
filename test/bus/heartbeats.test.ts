/** Runs of heartbeats: packed in the frame, and the same messages in the same order where they arrive. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createFrameEncoder, decodeFrame } from '../../bus/codec/frame.ts'
import { openEnvelope } from '../../bus/envelope.ts'
import { bootId, replicaId } from '../../topology/ids.ts'
import { frameMessage, peer, self } from './messages.ts'
import type { DecodedFrame, FrameMessage } from '../../bus/codec/frame.ts'
import type { RaftMessage } from '../../actors/raft/protocol.ts'

const HEAD_BYTES = 15
const envelope = { boot: bootId('00112233445566ff'), clusterHash: 7 }

interface Frames {
  readonly frames: readonly Buffer[]
  readonly counts: readonly number[]
  /** What the encoder said each message takes. */
  readonly bytes: number
}

const encode = (messages: readonly FrameMessage[], mayPack: () => boolean = () => true, bytesTarget = 600_000): Frames => {
  const frames: Buffer[] = []
  const counts: number[] = []
  const encoder = createFrameEncoder({
    from: peer, to: self, envelope, bytesTarget, bytesMax: 1_048_576, mayPack,
    onFrame: (frame, count) => {
      frames.push(Buffer.from(frame))
      counts.push(count)
    },
  })
  let bytes = 0
  for (const { to, message } of messages) bytes += Number(encoder.add(to, message))
  encoder.seal()
  return { frames, counts, bytes }
}

const decode = (bytes: Uint8Array): DecodedFrame => {
  const opened = openEnvelope(bytes)
  return opened.ok ? decodeFrame(opened.body, { from: peer, self }) : { ok: false, reason: opened.detail }
}
const messagesOf = (frames: readonly Buffer[]): readonly FrameMessage[] => frames.flatMap((frame) => {
  const decoded = decode(frame)
  return decoded.ok ? decoded.messages : [decoded.reason as never]
})

const mail = (group: number, message: RaftMessage, generations: readonly [number, number] = [1, 1]): FrameMessage => ({
  to: `raft/${group}`,
  message: { type: 'raft', from: replicaId(peer, generations[0]), to: replicaId(self, generations[1]), message },
})
const heartbeat = (group: number, round = 4): FrameMessage => mail(group, { type: 'raft.heartbeat', term: 3, commitIndex: 900, round })
const answer = (group: number, diskStalled = false): FrameMessage =>
  mail(group, { type: 'raft.heartbeatAcked', term: 3, round: 4, diskStalled })

const whole = fc.oneof(fc.nat(300), fc.maxSafeNat())
const generation = fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 ** 31 }))
const beat: fc.Arbitrary<FrameMessage> = fc.tuple(fc.nat(1_024), generation, generation, fc.oneof(
  fc.record({ type: fc.constant('raft.heartbeat' as const), term: whole, commitIndex: whole, round: whole }),
  fc.record({ type: fc.constant('raft.heartbeatAcked' as const), term: whole, round: whole, diskStalled: fc.boolean() }),
)).map(([group, from, to, message]) => mail(group, message, [from, to]))

describe('heartbeats that follow each other', () => {
  test('arrive as they were said: each of its own group, replicas, term and round, among whatever else is said', () => {
    const said = fc.array(fc.oneof({ weight: 5, arbitrary: beat }, frameMessage), { maxLength: 40 })
    fc.assert(fc.property(said, fc.integer({ min: 200, max: 2_000 }),
      (messages, bytesTarget) => {
        const { frames, counts } = encode(messages, () => true, bytesTarget)
        expect(messagesOf(frames)).toEqual(messages)
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(messages.length)
      }))
  })

  test('take a quarter of the bytes, and none more than they are said to take', () => {
    const messages = Array.from({ length: 200 }, (_, group) => heartbeat(group))
    const packed = encode(messages)
    const plain = encode(messages, () => false)
    expect(packed.frames[0]?.length).toBeLessThan((plain.frames[0]?.length ?? 0) / 4)
    expect(packed.bytes).toBe((packed.frames[0]?.length ?? 0) - HEAD_BYTES)
  })

  test('are packed as long as everybody knows runs, which may change', () => {
    let isKnown = false
    const messages = [1, 2, 3, 4].map((group) => heartbeat(group))
    const before = encode(messages, () => isKnown).frames
    isKnown = true
    expect(before).toEqual(encode(messages, () => false).frames)
    expect(encode(messages, () => isKnown).frames).not.toEqual(before)
  })

  test('have one layout, written here by hand', () => {
    const [frame] = encode([heartbeat(7), heartbeat(1_024, 300)]).frames
    expect([...frame?.subarray(HEAD_BYTES) ?? []]).toEqual([
      17, 10, 0, 0, 0, 16,
      7, 1, 1, 3, 0x84, 7, 4,
      0x80, 8, 1, 1, 3, 0x84, 7, 0xac, 2,
    ])
    const [answers] = encode([answer(7), answer(8, true)]).frames
    expect([...answers?.subarray(HEAD_BYTES) ?? []]).toEqual([17, 11, 0, 0, 0, 12, 7, 1, 1, 3, 4, 0, 8, 1, 1, 3, 4, 1])
  })

  test('are no run of other messages, nor of different ones, nor of one', () => {
    const lone = encode([heartbeat(7)]).frames
    expect(lone).toEqual(encode([heartbeat(7)], () => false).frames)
    const mixed = [heartbeat(7), answer(7), heartbeat(8)]
    expect(encode(mixed).frames).toEqual(encode(mixed, () => false).frames)
  })

  const head = encode([heartbeat(7)]).frames[0]?.subarray(0, HEAD_BYTES) ?? Buffer.alloc(0)
  const item = [7, 1, 1, 3, 4, 0]
  const refusals: readonly (readonly [string, readonly number[], string])[] = [
    ['of a kind that has none', [17, 7, 0, 0, 0, 12, ...item, ...item], 'there are no runs of messages of kind 7'],
    ['of one', [17, 11, 0, 0, 0, 6, ...item], 'a run holds at least two messages'],
    ['that ends within an item', [17, 11, 0, 0, 0, 11, ...item, ...item.slice(1)], '1 bytes are wanted at 32, 0 are there'],
    ['longer than its frame', [17, 11, 0, 0, 0, 13, ...item, ...item], 'a message of 13 bytes does not fit in its frame'],
    ['with a number that is longer than it need be', [17, 11, 0, 0, 0, 13, 0x87, 0, ...item.slice(1), ...item],
      'a number is written in the fewest bytes'],
    ['with a number that is too great', [17, 11, 0, 0, 0, 20, 7, 1, 1, ...Array<number>(8).fill(0xff), 1, 4, 0, ...item],
      'a number is above 2^53-1'],
    ['of a generation that other layouts have no room for',
      [17, 11, 0, 0, 0, 16, 7, 0x80, 0x80, 0x80, 0x80, 0x10, ...item.slice(2), ...item],
      'a group or a generation is above 2^32-1'],
    ['of a replica without a generation', [17, 11, 0, 0, 0, 12, 7, 0, ...item.slice(2), ...item], 'a replica\'s generation is at least 1'],
    ['with a disk between two states', [17, 11, 0, 0, 0, 12, ...item.slice(0, 5), 2, ...item], '2 is neither 0 nor 1'],
  ]
  test.each(refusals)('are refused as a run %s', (_name, bytes, reason) => {
    expect(decode(Buffer.concat([head, Buffer.from(bytes)]))).toEqual({ ok: false, reason })
  })

  test('stop the process rather than speak for another node', () => {
    const stranger: FrameMessage = {
      to: 'raft/8',
      message: {
        type: 'raft', from: replicaId(self, 1), to: replicaId(peer, 1),
        message: { type: 'raft.heartbeat', term: 1, commitIndex: 1, round: 1 },
      },
    }
    expect(() => encode([heartbeat(7), stranger])).toThrow('mail names replicas of the frame\'s two nodes')
  })
})
