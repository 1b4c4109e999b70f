/**
 * The memory of promises as an oracle: a peer that heard every acknowledgement of this replica, and remembers as members do
 * (actors/raft/promises.ts), must accept what the replica presents after any crash. A refusal is final, so a healthy disk must
 * never bring one about.
 */

import { acceptsPresentation, notePromise } from '../../actors/raft/promises.ts'
import { emptyState, stateAt } from '../model.ts'
import { createRig } from '../rig.ts'
import type { Presentation } from '../../actors/raft/protocol.ts'
import type { RaftCore } from '../../actors/raft/state.ts'
import type { DiskImage } from '../../storage/memoryFileSystem.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { ModelState } from '../model.ts'
import type { Rig } from '../rig.ts'

const GROUP = 1
const REPLICA = 'n2:1' as ReplicaId

/** All of a member's core that its memory of promises reads. */
type Memory = Pick<RaftCore, 'promises'>

const presentationOf = ({ hardState, mark, entries }: ModelState): Presentation => {
  const last = entries.at(-1) ?? mark
  return { incarnation: 1, term: hardState.term, vote: hardState.vote, lastTerm: last.term, lastIndex: last.index }
}

export const promiseProblem = (rig: Rig, image: DiskImage): string | undefined => {
  const memory: Memory = { promises: new Map() }
  const model = rig.models.get(GROUP)
  if (model === undefined) return undefined
  for (let count = 0; count <= model.acknowledged; count += 1) {
    const { term, vote, lastTerm, lastIndex } = presentationOf(stateAt(model, count))
    notePromise(memory as RaftCore, REPLICA, { term, vote, matchIndex: lastTerm === term ? lastIndex : 0 })
  }
  const found = createRig({ image }).open().report()?.groups.get(GROUP)
  const state = found === undefined ? emptyState : { hardState: found.hardState, mark: found.snapshot, entries: found.entries }
  const presented = presentationOf(state)
  return acceptsPresentation(memory as RaftCore, REPLICA, presented) ? undefined
    : `presents ${JSON.stringify(presented)}, less than the ${model.acknowledged} steps it acknowledged`
}
