/** The SDK's batch door: what clients say, and what nodes answer, read by the node and by the SDK. */

import { between, chance } from '../../actors/kernel/random.ts'
import { decodeClientFrame, encodeClientFrame } from '../../bus/codec/batch.ts'
import { createResultsEncoder, decodeNodeFrame, encodeNodeFrame, viewNodeFrame } from '../../bus/codec/batchAnswers.ts'
import { nodeId, shardId } from '../../topology/ids.ts'
import { drawHex, drawList, drawOperation, drawPosition, drawResult, drawU32, drawWhole, drawWord, one } from '../draw.ts'
import { refused } from '../target.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { NodeFrame } from '../../bus/codec/batchAnswers.ts'
import type { ClientFrame } from '../../bus/codec/batch.ts'
import type { Outcome, Target } from '../target.ts'

const FRAME_BYTES_MAX = 1_048_576

const drawSequence = (random: Random): number => Math.max(1, drawU32(random))

const drawClientFrame = (random: Random): ClientFrame => {
  if (chance(random, 0.1)) return { kind: 'hello', protocol: between(random, 0, 65_535) }
  if (chance(random, 0.1)) return { kind: 'bye', session: drawHex(random, 16) }
  return {
    kind: 'batch', session: drawHex(random, 16), sequence: drawSequence(random), timeoutMs: drawU32(random),
    consistency: one(random, ['linearizable', 'lease', 'stale'] as const),
    groups: drawList(random, 3, (r) => ({
      shard: shardId(between(r, 0, 1_023)), operations: [drawOperation(r), ...drawList(r, 2, (inner) => drawOperation(inner))],
    })),
  }
}

export const clientFrame: Target = {
  name: 'client frame', share: 8, isCanonical: true,
  example: (random) => Uint8Array.from(encodeClientFrame(drawClientFrame(random))),
  decode: (bytes) => {
    const decoded = decodeClientFrame(bytes)
    if (!decoded.ok) return refused(decoded.reason)
    return { ok: true, shape: decoded.frame.kind, again: encodeClientFrame(decoded.frame), value: decoded.frame }
  },
}

const encodeAnswer = (frame: NodeFrame): Uint8Array => {
  if (frame.kind !== 'results') return encodeNodeFrame(frame)
  let encoded = new Uint8Array(0)
  createResultsEncoder({ bytesMax: FRAME_BYTES_MAX, onFrame: (bytes) => { encoded = Uint8Array.from(bytes) } }).encode(frame)
  return encoded
}

const drawNodeFrame = (random: Random): NodeFrame => {
  if (chance(random, 0.1)) {
    const node = nodeId(drawWord(random, 8))
    const shardCount = between(random, 0, 1_024)
    return { kind: 'welcome', session: drawHex(random, 16), node, shardCount, epoch: drawWhole(random) }
  }
  if (chance(random, 0.1)) return { kind: 'refused', sequence: drawU32(random), result: drawResult(random) }
  return {
    kind: 'results', session: drawHex(random, 16), sequence: drawSequence(random), isLast: chance(random, 0.5),
    rows: drawList(random, 5, (r) => ({ position: drawPosition(r), shard: shardId(between(r, 0, 1_023)), result: drawResult(r) })),
  }
}

/** The SDK reads without a copy; what it sees must be what a copying reader sees. */
const decodeAnswer = (bytes: Uint8Array): Outcome => {
  const decoded = decodeNodeFrame(bytes)
  const viewed = viewNodeFrame(bytes)
  if (!decoded.ok) return refused(viewed.ok ? 'DIFFERS: the view accepts what the copy refuses' : decoded.reason)
  if (!viewed.ok) throw new Error('the view refuses what the copy accepts')
  const again = encodeAnswer(decoded.frame)
  if (Buffer.compare(again, encodeAnswer(viewed.frame)) !== 0) throw new Error('the view reads something else than the copy')
  return { ok: true, shape: decoded.frame.kind, again, value: decoded.frame }
}

export const nodeFrame: Target = {
  name: 'node frame', share: 6, isCanonical: false,
  example: (random) => encodeAnswer(drawNodeFrame(random)),
  decode: decodeAnswer,
}
