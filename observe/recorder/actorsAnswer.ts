/**
 * The answer to who the actors of a node are, small enough for one message of the broker and for who reads it (wire.ts). It grows with the
 * shards: 1,024 of them, with all their figures, are more than either takes, and a node that does not answer looks like one that is down.
 * So what is too large leaves out what is missed least, and says so:
 *
 *   1. figures, but for the term: who leads is told by it;
 *   2. actors: sessions first, then shards, then Raft members that follow; a leader is the last to be missed.
 */

import { isSession } from './record.ts'
import { encodeJson } from './wire.ts'
import type { ActorView, NodeActors } from './wire.ts'

/** `"shortened":{"actors":4096},` */
const NOTE_BYTES = 64
/** Of the message, for what is no actor. */
const HEAD_SHARE = 0.5

export const actorsAnswer = (whole: NodeActors, bytesMax: number): Uint8Array => {
  const bytes = encodeJson(whole)
  if (bytes.length <= bytesMax) return bytes
  const head = headOf(whole, bytesMax)
  let left = bytesMax - encodeJson(head).length - NOTE_BYTES
  const bare = whole.actors.map(withTermAlone)
  const kept = new Set(bare.toSorted((a, b) => rankOf(a) - rankOf(b)).filter((view) => {
    left -= encodeJson(view).length + 1
    return left >= 0
  }))
  return encodeJson({
    ...head, shortened: { actors: bare.length - kept.size }, actors: bare.filter((view) => kept.has(view)),
  } satisfies NodeActors)
}

const headOf = (whole: NodeActors, bytesMax: number): NodeActors => {
  const head = { ...whole, actors: [] }
  return encodeJson(head).length <= bytesMax * HEAD_SHARE ? head : { ...head, operations: [] }
}

const withTermAlone = (view: ActorView): ActorView => {
  const { term } = view.counters
  return { ...view, counters: term === undefined ? {} : { term } }
}

/** The lower, the more it is missed. */
const rankOf = ({ actor, machine, state }: ActorView): number => {
  switch (machine) {
    case 'connection': return isSession(actor) ? RANK_SESSION : RANK_ALONE
    case 'shard': return RANK_SHARD
    case 'raft': return state.startsWith('leader') ? RANK_LEADER : RANK_MEMBER
    default: return RANK_ALONE
  }
}

const [RANK_ALONE, RANK_LEADER, RANK_MEMBER, RANK_SHARD, RANK_SESSION] = [0, 1, 2, 3, 4]
