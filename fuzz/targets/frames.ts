/** What nodes send to each other: envelope and frame, taken whole or refused whole. */

import { between, chance } from '../../actors/kernel/random.ts'
import { createFrameEncoder, decodeFrame } from '../../bus/codec/frame.ts'
import { openEnvelope } from '../../bus/envelope.ts'
import { bootId, nodeId, replicaId, shardId } from '../../topology/ids.ts'
import { drawHex, drawList, drawOperation, drawResult, drawU32, drawWhole, one } from '../draw.ts'
import { refused } from '../target.ts'
import { drawRaftMessage } from './raftMessages.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Envelope } from '../../bus/envelope.ts'
import type { FrameMessage } from '../../bus/codec/frame.ts'
import type { Target } from '../target.ts'

const self = nodeId('n1')
const peer = nodeId('n2')
const FRAME_BYTES_MAX = 1_048_576

const encode = (envelope: Envelope, messages: readonly FrameMessage[]): Uint8Array => {
  const frames: Uint8Array[] = []
  const encoder = createFrameEncoder({
    from: peer, to: self, envelope, bytesTarget: FRAME_BYTES_MAX, bytesMax: FRAME_BYTES_MAX, mayPack: () => true,
    onFrame: (frame) => { frames.push(Uint8Array.from(frame)) },
  })
  for (const { to, message } of messages) encoder.add(to, message)
  encoder.seal()
  return frames[0] ?? new Uint8Array(0)
}

const drawMessage = (random: Random): FrameMessage => {
  const to = one(random, ['raft/0', 'raft/1023', 'shard/7', 'connection/raw', 'node'])
  if (chance(random, 0.7)) {
    const from = replicaId(peer, between(random, 1, 9))
    return { to, message: { type: 'raft', from, to: replicaId(self, between(random, 1, 9)), message: drawRaftMessage(random) } }
  }
  if (chance(random, 0.5)) {
    return { to, message: {
      type: 'shard.reply', shard: shardId(between(random, 0, 1_023)), batch: drawWhole(random), results: drawList(random, 4, drawResult),
    } }
  }
  return { to, message: {
    type: 'shard.request', replyTo: 'connection/raw', batch: drawWhole(random), policy: one(random, ['slot', 'forward', 'direct'] as const),
    term: drawWhole(random), consistency: one(random, ['linearizable', 'lease', 'stale'] as const),
    operations: drawList(random, 4, (r) => drawOperation(r)),
  } }
}

/** In a third of the frames heartbeats or their answers that follow each other, which are packed. */
const drawRun = (random: Random): readonly FrameMessage[] => {
  if (!chance(random, 0.34)) return []
  const isAsked = chance(random, 0.5)
  return Array.from({ length: between(random, 2, 6) }, () => ({
    to: `raft/${between(random, 0, 1_024)}`,
    message: {
      type: 'raft', from: replicaId(peer, between(random, 1, 300)), to: replicaId(self, between(random, 1, 300)),
      message: isAsked
        ? { type: 'raft.heartbeat', term: drawWhole(random), commitIndex: drawWhole(random), round: drawWhole(random) }
        : { type: 'raft.heartbeatAcked', term: drawWhole(random), round: drawWhole(random), diskStalled: chance(random, 0.5) },
    },
  }))
}

const drawEnvelope = (random: Random): Envelope => ({
  boot: bootId(drawHex(random, 16)), clusterHash: drawU32(random),
  ...(chance(random, 0.3) ? { trace: { traceId: drawHex(random, 32), spanId: drawHex(random, 16), flags: between(random, 0, 255) } } : {}),
})

const typeOf = ({ message }: FrameMessage): string => (message.type === 'raft' ? message.message.type : message.type)

export const frame: Target = {
  name: 'frame', share: 8, isCanonical: false, scratchBytes: 64 * 1_024,
  example: (random) => encode(drawEnvelope(random), [...drawRun(random), drawMessage(random), ...drawList(random, 3, drawMessage)]),
  decode: (bytes) => {
    const opened = openEnvelope(bytes)
    if (!opened.ok) return refused(`${opened.refusal}: ${opened.detail}`)
    const decoded = decodeFrame(opened.body, { from: peer, self })
    if (!decoded.ok) return refused(decoded.reason)
    const { messages } = decoded
    return { ok: true, shape: messages.map(typeOf).slice(0, 1).join(' '), again: encode(opened.envelope, messages), value: messages }
  },
}
