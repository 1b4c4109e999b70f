/**
 * The actors of this node as the viewer shows them: the state of each, as its recorder heard it last, and a few numbers of its core.
 */

import { isSession } from '../observe/recorder/record.ts'
import { ACTORS_MAX } from '../observe/recorder/wire.ts'
import { META_GROUP, raftActorOf } from './ids.ts'
import type { ActorState } from '../observe/recorder/recorder.ts'
import type { ActorView } from '../observe/recorder/wire.ts'
import type { RaftMember } from '../actors/raft/actor.ts'
import type { GossipRadio } from './gossipRadio.ts'
import type { HostedReplica } from './hostedReplica.ts'
import type { NodeParts } from './nodeParts.ts'

export interface ActorSources {
  readonly states: readonly ActorState[]
  readonly parts: NodeParts | null
  readonly gossip: GossipRadio | null
}

type Counters = Readonly<Record<string, number>>

/** Sessions come and go by thousands, and may be there before any replica: of them those that there is room for behind all others. */
export const actorViews = ({ states, parts, gossip }: ActorSources): readonly ActorView[] => {
  const counters = countersOf(parts, gossip)
  const shown = [...states.filter(({ actor }) => !isSession(actor)), ...states.filter(({ actor }) => isSession(actor))].slice(0, ACTORS_MAX)
  return shown.map(({ actor, state, since }) => ({
    actor, machine: actor.split('/')[0] ?? actor, state, since, counters: counters.get(actor)?.() ?? {},
  }))
}

const countersOf = (parts: NodeParts | null, gossip: GossipRadio | null): ReadonlyMap<string, () => Counters> => {
  const counters = new Map<string, () => Counters>()
  if (gossip !== null) counters.set('gossip', () => ({ ...gossip.counters(), health: gossip.report().health }))
  if (parts === null) return counters
  const { wal, host, live } = parts
  counters.set('wal', () => ({ bytes: wal.bytes(), backlogBytes: wal.backlogBytes() }))
  counters.set('topology', () => ({ epoch: live.map().epoch }))
  for (const replica of host.all()) {
    counters.set(raftActorOf(replica.shard), () => raftCounters(replica.raft))
    counters.set(`shard/${replica.shard}`, () => shardCounters(replica))
  }
  const meta = host.meta()
  if (meta !== undefined) counters.set(raftActorOf(META_GROUP), () => raftCounters(meta.raft))
  return counters
}

const raftCounters = (raft: RaftMember): Counters => {
  const { term, commitIndex, lastIndex, durableIndex, emittedIndex } = raft.status()
  return { term, commitIndex, lastIndex, durableIndex, emittedIndex, uncommittedEntries: lastIndex - commitIndex }
}

const shardCounters = ({ actor }: HostedReplica): Counters => {
  const { appliedIndex, revision, keys, sessions, pendingOperations, pendingBytes, snapshotIndex } = actor.status()
  return { appliedIndex, revision, keys, sessions, pendingOperations, pendingBytes, snapshotIndex }
}
