/**
 * CheckQuorum (thesis 6.2): a leader that has heard nothing from a quorum over the data path for several
 * election timeouts of its own running time no longer leads. Otherwise it would keep its clients waiting for
 * ever on a side that can not commit.
 *
 * A silence grows no faster than time does, so a leader that was looked at is in contact until the time at which a quorum would have been
 * silent for too long had nobody said anything since: before that, with the same voters, there is nothing to look at.
 * test/sim/invariants.test.ts holds this against a look at every event.
 */

import { nodeOf } from '../../topology/ids.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Invariant, ReplicaView } from '../view.ts'

export interface QuorumContactPorts {
  /** Virtual milliseconds. */
  readonly now: () => number
  /** Well above the longest election timeout. */
  readonly silenceMsMax: number
  /** Virtual milliseconds that the node has been running, pauses left out, since it last heard a frame from the other. */
  readonly silenceMs: (listener: string, speaker: string) => number
}

interface Contact {
  readonly voters: readonly ReplicaId[]
  /** Virtual milliseconds. */
  readonly until: number
}

export const createQuorumContact = ({ now, silenceMs, silenceMsMax }: QuorumContactPorts): Invariant => {
  /** By shard: how long each leader is in contact at least. */
  const contacts = new Map<number, Map<ReplicaId, Contact>>()
  const ofShard = (shard: number): Map<ReplicaId, Contact> => {
    const known = contacts.get(shard) ?? new Map<ReplicaId, Contact>()
    contacts.set(shard, known)
    return known
  }
  return {
    name: 'a leader is in contact with a quorum',
    check: (view) => {
      if (view.role !== 'leader') return null
      const known = ofShard(view.shard)
      const contact = known.get(view.id)
      if (contact !== undefined && contact.voters === view.voters && now() < contact.until) return null
      const silence = quorumSilenceMs(view, silenceMs)
      known.set(view.id, { voters: view.voters, until: now() + silenceMsMax - silence })
      return silence <= silenceMsMax ? null : `${view.id} leads shard ${view.shard} and has heard no quorum for ${silenceMsMax} ms`
    },
  }
}

/** The shortest time within which the leader has heard a quorum, itself included; Infinity without voters. */
const quorumSilenceMs = ({ id, voters }: ReplicaView, silenceMs: QuorumContactPorts['silenceMs']): number => {
  const self = nodeOf(id)
  const silences = voters.map((voter) => (voter === id ? 0 : silenceMs(self, nodeOf(voter)))).sort((a, b) => a - b)
  return silences[Math.floor(voters.length / 2)] ?? Number.POSITIVE_INFINITY
}
