/**
 * The file of this member's newest snapshot, once there is reason to doubt it: a peer found damaged what it was sent of it, or it could
 * not be read. It was verified when it got its name; whether its disk still gives the same bytes only another look tells.
 *
 *   trusted ──▶ verifying ──good──▶ trusted: the damage was on the way, or at the peer
 *      ▲            └──bad──▶ lost ──raft.snapshotLost──▶ the shard writes another, at the same index if nothing was applied since
 *      └──────────── another one is stored, or installed ────────────┘
 *
 * Without that a peer that needs it is never filled (test: "a snapshot that rots under its living leader is written anew ..."):
 * 1. The newest snapshot rots on the leader's disk. Nobody writes, so there will be no newer one.
 * 2. A peer needs it, gets all of it, and finds it damaged. It is sent the same file again, and again.
 *
 * Nothing is sent of a lost one. Nor is the log compacted up to it (compaction.ts): with it, a start falls back on the one before, and
 * needs the log from there on.
 *
 * A leader steps down when the new file at the same index has another size, as a change of layout between the two may make it:
 * 1. A peer has 1,000 of the 1,200 bytes of the old file, and says so; its answer is delayed.
 * 2. The new file has 1,000 bytes. The answer arrives, and reads like "all of it is installed".
 * In another term answers of this one count for nothing.
 */

import type { Index, RaftLocalEvent } from './protocol.ts'
import type { RaftCore } from './state.ts'

type Local<Type extends RaftLocalEvent['type']> = Extract<RaftLocalEvent, { type: Type }>

export const isNewest = ({ snapshot }: RaftCore, { index }: { readonly index: Index }): boolean => snapshot?.index === index

/** Has the file verified, unless that is under way or its end is known. */
export const doubtSnapshot = (core: RaftCore): void => {
  const { snapshot } = core
  if (snapshot === null || core.snapshotDoubt !== null) return
  core.snapshotDoubt = 'verifying'
  core.effects.push({ type: 'raft.verifySnapshot', index: snapshot.index, term: snapshot.term })
}

export const handleSnapshotVerified = (core: RaftCore, { index, isGood }: Local<'raft.snapshotVerified'>): void => {
  if (core.snapshotDoubt !== 'verifying' || !isNewest(core, { index })) return
  core.snapshotDoubt = isGood ? null : 'lost'
  if (!isGood) askForAnother(core)
}

/** May be asked again: of a shard that writes one no other is wanted. */
export const askForAnother = (core: RaftCore): void => {
  core.effects.push({ type: 'raft.snapshotLost' })
}

/** The lost one, written anew. */
export const isReplacement = (core: RaftCore, { index }: Local<'raft.snapshotStored'>): boolean =>
  core.snapshotDoubt === 'lost' && isNewest(core, { index })

export const isOfAnotherSize = (core: RaftCore, event: Local<'raft.snapshotStored'>): boolean =>
  isReplacement(core, event) && event.totalBytes !== core.snapshot?.totalBytes
