/** The content of a snapshot, restored from pieces that are cut anywhere. */

import { between, chance } from '../../actors/kernel/random.ts'
import { applyEntry, ignoreChanges } from '../../actors/shard/apply.ts'
import { encodeBatch } from '../../actors/shard/batch.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { openRestore } from '../../actors/shard/restore.ts'
import { openSnapshot } from '../../actors/shard/snapshotCodec.ts'
import { createState } from '../../actors/shard/state.ts'
import { drawBytes, drawHex, drawWord, one } from '../draw.ts'
import { refused } from '../target.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Operation } from '../../actors/shard/operation.ts'
import type { ShardState } from '../../actors/shard/state.ts'
import type { Outcome, Target } from '../target.ts'

const bytesOfState = (state: ShardState): Uint8Array => {
  const snapshot = openSnapshot(state)
  const chunks: Uint8Array[] = []
  for (let next = snapshot.next(); next.done !== true; next = snapshot.next()) chunks.push(next.value.slice())
  snapshot.close()
  return Buffer.concat(chunks)
}

const drawChange = (random: Random, clients: readonly string[]): Operation => {
  const client = one(random, clients)
  if (chance(random, 0.2)) return { code: OpCode.openSession, key: '', session: { client, sequence: 1, firstIncomplete: 1 } }
  if (chance(random, 0.05)) return { code: OpCode.closeSession, key: '', session: { client, sequence: 9, firstIncomplete: 1 } }
  const code = one(random, [OpCode.put, OpCode.put, OpCode.incr, OpCode.del])
  const identity = chance(random, 0.3) ? { session: { client, sequence: between(random, 1, 5), firstIncomplete: 1 } }
    : chance(random, 0.4) ? { requestId: drawWord(random, 8) } : {}
  return { code, key: drawWord(random, 2), ...(code === OpCode.put ? { value: drawBytes(random, 30) } : {}), ...identity,
    ...(code === OpCode.put && chance(random, 0.2) ? { ttlMs: 500 } : {}) }
}

const drawState = (random: Random): ShardState => {
  const state = createState()
  const clients = [drawHex(random, 16), drawHex(random, 16)]
  for (let index = 1; index <= between(random, 0, 5); index += 1) {
    const operations = Array.from({ length: between(random, 0, 4) }, () => drawChange(random, clients))
    applyEntry(state, { term: 1, index, kind: 1, payload: encodeBatch({ timeMs: index * 100, operations }) }, ignoreChanges)
  }
  return state
}

const restore = (pieces: readonly Uint8Array[]): Outcome => {
  const restoring = openRestore()
  for (const piece of pieces) restoring.push(piece)
  const restored = restoring.finish()
  if ('reason' in restored) return refused(restored.reason)
  const { state } = restored
  return { ok: true, shape: `${Math.min(3, state.keys.size())} ${state.sessions.open.size}`, again: bytesOfState(state) }
}

export const shardState: Target = {
  name: 'shard state', share: 3, isCanonical: false, scratchBytes: 64 * 1_024,
  example: (random) => bytesOfState(drawState(random)),
  decode: (bytes) => restore([bytes]),
  decodePieces: restore,
}
