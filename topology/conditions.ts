/**
 * What the replicas on a node are told of it: that its log completes no writes, that its disk is full, that it is short of memory. Each
 * when it changes, and those that open meanwhile.
 *
 * Of memory only shards hear: the meta group's state has limits of its own (docs/OPERATIONS.md), and its decisions are what helps. A
 * follower keeps in mind what it was told, for when it leads. It goes on taking what its leader sends: a majority has agreed to it.
 */

import type { MemoryShortage } from '../actors/shard/protocol.ts'
import type { HostedMeta } from './hostedMeta.ts'
import type { HostedReplica } from './hostedReplica.ts'

type Member = HostedReplica | HostedMeta

export interface Conditions {
  readonly noteStalled: (isStalled: boolean) => void
  readonly noteFull: (isFull: boolean) => void
  readonly noteMemory: (shortage: MemoryShortage | null) => void
  /** To a member that opens. */
  readonly tell: (member: Member) => void
}

export const createConditions = (members: () => readonly Member[]): Conditions => {
  let isStalled = false
  let isFull = false
  let shortage: MemoryShortage | null = null
  const noteStalled = (stalled: boolean): void => {
    if (isStalled === stalled) return
    isStalled = stalled
    for (const { raft } of members()) raft.send({ type: 'wal.stalled', stalled })
  }
  return {
    noteStalled,
    noteFull: (full) => {
      isFull = full
      for (const { actor } of members()) actor.send({ type: 'wal.spaceChanged', full })
      noteStalled(full)
    },
    noteMemory: (short) => {
      if (shortage === short) return
      shortage = short
      for (const member of members()) tellMemory(member, short)
    },
    tell: (member) => {
      if (isFull) member.actor.send({ type: 'wal.spaceChanged', full: true })
      if (isStalled) member.raft.send({ type: 'wal.stalled', stalled: true })
      if (shortage !== null) tellMemory(member, shortage)
    },
  }
}

const tellMemory = (member: Member, shortage: MemoryShortage | null): void => {
  if ('shard' in member) member.actor.send({ type: 'memory.spaceChanged', shortage })
}
