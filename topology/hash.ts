/**
 * Which shard a key belongs to: FNV-1a over the characters of its hash token, modulo the shard count.
 *
 * The token is what stands in the NATS subject (the encoded partition, or the encoded key when it has none), so every character
 * is one ASCII byte. This is the function of nats-server's `partition(n, token)` subject mapping, which is why the broker itself
 * can route (test/bus/routing.test.ts compares the two on a real broker).
 * Source: Fowler, Noll, Vo, "The FNV Non-Cryptographic Hash Algorithm" (IETF draft), 32-bit FNV-1a.
 */

import type { ShardId } from './ids.ts'

const FNV_OFFSET_BASIS = 0x811c9dc5
const FNV_PRIME = 0x01000193

/** An unsigned 32-bit hash of the token's character codes (0-255 each). */
export const fnv1a32 = (token: string): number => {
  let hash = FNV_OFFSET_BASIS
  for (let i = 0; i < token.length; i += 1) hash = Math.imul(hash ^ token.charCodeAt(i), FNV_PRIME)
  return hash >>> 0
}

/** MurmurHash3's 32-bit finaliser: every input bit reaches every output bit. */
export const mix32 = (hash: number): number => {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

export const shardOf = (token: string, shardCount: number): ShardId => (fnv1a32(token) % shardCount) as ShardId
