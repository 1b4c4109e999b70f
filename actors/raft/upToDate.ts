/**
 * Whether this member has caught up with its group since its process started: it has handed on all that had been committed when it first
 * heard a leader.
 *
 * The first append of this life, or this member's own election, is its mark: a commit index N and a term T. To have emitted N is too
 * little where that leader had just been elected: it does not know yet what is committed (section 5.4.2), and where all members were
 * started anew it says 0. But all that had been committed by then comes before the first entry of its own term. Hence the rule: N is
 * emitted, and so is an entry of term T or later. Where T's leader knew what was committed, the entry at N is one.
 *
 * A heartbeat is no mark: it names no more than what this member is known to have (readIndex.ts).
 *
 * What comes after the mark is ordinary lag, and nobody asks for it here.
 */

import { knownTermAt } from './state.ts'
import type { Index } from './protocol.ts'
import type { RaftCore } from './state.ts'

/** Called for every append, and costs a comparison. */
export const noteMark = (core: RaftCore, commitIndex: Index): void => {
  core.mark ??= { index: commitIndex, term: core.term }
}

export const isUpToDate = (core: RaftCore): boolean => {
  const { mark, emittedIndex, isRestoring } = core
  return mark !== null && !isRestoring && emittedIndex >= mark.index && knownTermAt(core, emittedIndex) >= mark.term
}
