/**
 * When a new leader begins to serve: its first entry has committed, so that it knows what earlier leaders committed (Raft, section 8), and
 * the time is known by which keys expire (wallClocks.ts). A candidate that slept, and is elected by votes from before, goes first.
 */

import { isTooLate } from './checkQuorum.ts'
import { isSettled } from './readIndex.ts'
import { isClockAwaited } from './wallClocks.ts'
import type { RaftCore } from './state.ts'

export const mayServe = (core: RaftCore): boolean =>
  isSettled(core) && !isClockAwaited(core) && !isTooLate(core, core.campaign.leapMs)
