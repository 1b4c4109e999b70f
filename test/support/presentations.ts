/** Words for tests in which a peer presents itself to member 1. */

import { expect } from '@jest/globals'
import { say, sentOf, takeSent } from './raftScript.ts'
import type { Harness } from './raftHarness.ts'
import type { RaftMessage } from '../../actors/raft/protocol.ts'

type Present = Extract<RaftMessage, { type: 'raft.present' }>
export const present = (of: Partial<Present>): Present =>
  ({ type: 'raft.present', incarnation: 77, term: 0, vote: '', lastTerm: 0, lastIndex: 0, ...of })
export const answers = (h: Harness): string[] => takeSent(h).map(({ to, message }) => `${to} ${message.type}`)
/** A start that is alive presents itself, and repeats the challenge it is given. */
export const show = (h: Harness, from: number, presented: Present): void => {
  say(h, from, presented)
  const [challenged] = sentOf(takeSent(h), 'raft.presentChallenged')
  expect(challenged?.incarnation).toBe(presented.incarnation)
  say(h, from, { type: 'raft.presentConfirmed', incarnation: presented.incarnation, challenge: challenged?.challenge ?? 0 })
}
export const ownIncarnation = (h: Harness): number => h.member(1).core.presenting.own.incarnation
