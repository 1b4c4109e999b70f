/**
 * A hash of everything replicated, for the invariant "equal index, equal state" (simulator, tests). It covers the snapshot's bytes, so
 * whatever a snapshot would lose or reorder changes it too. Two 32-bit FNV-1a lanes with different seeds and shifts: quick, and
 * good enough against accidents; not against adversaries. Costs a pass over the state.
 */

import { openSnapshot } from './snapshotCodec.ts'
import type { ShardState } from './state.ts'

const FNV_PRIME = 0x0100_0193
const FNV_OFFSET = 0x811c_9dc5
const SECOND_OFFSET = 0x1234_5678

/** 16 hex digits. */
export const hashState = (state: ShardState): string => {
  let a = FNV_OFFSET
  let b = SECOND_OFFSET
  const chunks = openSnapshot(state)
  for (let next = chunks.next(); next.done !== true; next = chunks.next()) {
    const chunk: Uint8Array = next.value
    for (const byte of chunk) {
      a = Math.imul(a ^ byte, FNV_PRIME)
      b = Math.imul((b << 5 | b >>> 27) ^ byte, FNV_PRIME)
    }
  }
  return hex32(a) + hex32(b)
}

const hex32 = (word: number): string => (word >>> 0).toString(16).padStart(8, '0')
