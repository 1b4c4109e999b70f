/**
 * Nothing stays beyond its time once everything is quiet: what ends soon after the last entry's log time ends though nobody writes any
 * more, by an entry that the leader proposes for that alone. Looked at at the end of a run. That the entry's time is right is another
 * invariant's (currentLogTime.ts).
 */

import type { ShardLedger } from '../ledger.ts'
import type { Problem } from '../view.ts'

export const NOTHING_OVERDUE = 'nothing stays beyond its time'

/** Longer than any client of a run lets a key live (calls.ts). */
const SOON_MS = 5_000

export const overdue = (ledgers: readonly Pick<ShardLedger, 'shard' | 'lines' | 'nextEndMs'>[]): Problem => {
  for (const { shard, lines, nextEndMs } of ledgers) {
    const leftMs = nextEndMs() - (lines.at(-1)?.timeMs ?? 0)
    if (leftMs <= SOON_MS) return `shard ${shard} still has what ends ${leftMs} ms after its last entry`
  }
  return null
}
