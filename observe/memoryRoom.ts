/**
 * Whether a process that keeps its data in memory is short of it. Two limits end such a process, and it is short where it is near either:
 *
 *   heap      keys, records, values up to 1 KiB      V8 ends the process: "JavaScript heap out of memory"
 *   process   that, longer values, and the log       the kernel ends the process: the machine or its container has no more
 *
 * (Which values lie where: actors/shard/keyRecord.ts.) What lives decides, since what is merely used is partly garbage that a collection
 * would free. But what lives is known only as of the last major collection, and what is used comes near the limit only when collections
 * free little: so that counts, too, at a higher share. V8 begins its next collection halfway to the limit at the latest: of a heap that was
 * a little below LIVE_SHORT the growth is known before six sevenths are used. From short to fine it is a tenth of the limit, so that
 * clients who go on trying are not let in and refused by turns.
 *
 * What is in RAM is more than what is used, and counts, too: the allocator keeps what was freed, and what comes finds no room in it where
 * the pieces are too small. (Measured: 446 MiB where 378 were used, after values of 20,000 bytes, half of them deleted, and then values
 * of 60,000.) Only a restart gives that back. So it counts only while more than half of the limit lives: below, so much is free that what
 * comes finds room, and a node that was emptied takes writes again.
 */

import type { MemoryShortage } from '../actors/shard/protocol.ts'

/** What one limit is for. `liveBytes` is of the last major collection, or less. */
export interface MemoryUse {
  readonly liveBytes: number
  readonly usedBytes: number
  readonly limitBytes: number
}

export interface ProcessUse extends MemoryUse {
  /** In RAM, what the allocator keeps of what was freed included. */
  readonly residentBytes: number
}

export interface MemoryUses extends Readonly<Record<MemoryShortage, MemoryUse>> {
  readonly process: ProcessUse
}

/** Shares of the limit above which a node is short. Higher: more data, and less room for what is under way when it is noticed. */
export const LIVE_SHORT = 0.7
export const USED_SHORT = 0.92
/** Neither is above these any more: it is fine again. */
export const LIVE_FINE = 0.6
export const USED_FINE = 0.85
/** Of what lives: up to here it does not matter how much is in RAM. */
const PIECES_LIVE_MAX = 0.5

/** Null: there is enough of both. Of both shortages the heap's is told: it has the nearer cure. */
export const shortageOf = (uses: MemoryUses, before: MemoryShortage | null): MemoryShortage | null => {
  if (isShort(uses.heap, before === 'heap')) return 'heap'
  const wasShort = before === 'process'
  return isShort(uses.process, wasShort) || isInPieces(uses.process, wasShort) ? 'process' : null
}

const isShort = ({ liveBytes, usedBytes, limitBytes }: MemoryUse, wasShort: boolean): boolean =>
  liveBytes > limitBytes * (wasShort ? LIVE_FINE : LIVE_SHORT) || isNearlyUsed(usedBytes, limitBytes, wasShort)

const isInPieces = ({ liveBytes, residentBytes, limitBytes }: ProcessUse, wasShort: boolean): boolean =>
  liveBytes > limitBytes * PIECES_LIVE_MAX && isNearlyUsed(residentBytes, limitBytes, wasShort)

const isNearlyUsed = (bytes: number, limitBytes: number, wasShort: boolean): boolean =>
  bytes > limitBytes * (wasShort ? USED_FINE : USED_SHORT)
