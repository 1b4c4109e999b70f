/** What each role does when the disk answers: it says what it could not say before (durability.ts). */

import { advanceCommit, emitCommitted } from './commit.ts'
import { noteDurable } from './durability.ts'
import { countOwnVote, sendDurableVote } from './election.ts'
import { answerAppend } from './following.ts'
import type { RaftLocalEvent } from './protocol.ts'
import type { RaftCore } from './state.ts'

type Appended = Extract<RaftLocalEvent, { type: 'wal.appended' }>

/** The vote it gave, the entries it accepts. */
export const handleAppendedAsFollower = (core: RaftCore, event: Appended): void => {
  if (!noteDurable(core, event)) return
  sendDurableVote(core)
  answerAppend(core)
  emitCommitted(core)
}

/** Its own vote: now it may ask for others'. */
export const handleAppendedAsCandidate = (core: RaftCore, event: Appended): void => {
  if (!noteDurable(core, event)) return
  countOwnVote(core)
  emitCommitted(core)
}

/** Its own match: a leader counts itself like any other member. */
export const handleAppendedAsLeader = (core: RaftCore, event: Appended): void => {
  if (!noteDurable(core, event)) return
  advanceCommit(core)
  emitCommitted(core)
}

export const handleStalled = (core: RaftCore, { stalled }: Extract<RaftLocalEvent, { type: 'wal.stalled' }>): void => {
  core.isDiskStalled = stalled
}
