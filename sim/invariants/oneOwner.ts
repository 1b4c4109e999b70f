/**
 * One owner of a shard: at no moment could two replicas both serve it linearizably, of whatever terms and whatever epochs of its
 * configuration.
 *
 * Only a leader serves, and of one term only one replica ever does. A leader that was deposed may not know it yet, and believes to serve
 * beside its successor: harmless as long as nobody who could confirm it is left. So it counts as an owner only while, of the members
 * that it would ask (its own configuration, both halves while that is joint), a majority has not yet been in a later term: those would
 * answer it. The terms are the greatest that each replica was ever seen in, wherever it is now. Were two majorities of two epochs
 * disjoint, which is what moves must never lead to, both leaders would be confirmed, and each would answer reads and writes of its own.
 */

import { isQuorum } from '../view.ts'
import type { Configuration, Term } from '../../actors/raft/protocol.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Invariant, Problem } from '../view.ts'

interface Owner {
  readonly id: ReplicaId
  readonly term: Term
  readonly configuration: Configuration
}

export const createOneOwner = (): Invariant => {
  const ofTerm = new Map<string, ReplicaId>()
  /** By shard: the greatest term of each replica, and who believes to serve. */
  const terms = new Map<number, Map<ReplicaId, Term>>()
  const serving = new Map<number, Map<ReplicaId, Owner>>()
  const within = <Value>(all: Map<number, Map<ReplicaId, Value>>, shard: number): Map<ReplicaId, Value> => {
    const known = all.get(shard) ?? new Map<ReplicaId, Value>()
    all.set(shard, known)
    return known
  }
  const checkTerm = (shard: number, { id, term }: Owner): Problem => {
    const key = `${shard} ${term}`
    const owner = ofTerm.get(key) ?? id
    ofTerm.set(key, owner)
    return owner === id ? null : `${id} and ${owner} have both served shard ${shard} in term ${term}`
  }
  return {
    name: 'one owner of a shard',
    check: ({ id, shard, term, role, isServing, configuration }) => {
      const seen = within(terms, shard)
      seen.set(id, Math.max(term, seen.get(id) ?? 0))
      const owners = within(serving, shard)
      owners.delete(id)
      if (!isServing) return null
      if (role !== 'leader') return `${id} serves shard ${shard} in term ${term} and is ${role}`
      const owner = { id, term, configuration }
      owners.set(id, owner)
      return checkTerm(shard, owner) ?? checkConfirmed(shard, [...owners.values()], seen)
    },
  }
}

const checkConfirmed = (shard: number, owners: readonly Owner[], terms: ReadonlyMap<ReplicaId, Term>): Problem => {
  if (owners.length < 2) return null
  const confirmed = owners.filter((owner) => mayBeConfirmed(owner, terms))
  if (confirmed.length < 2) return null
  const names = confirmed.map(({ id, term, configuration: { epoch } }) => `${id} (term ${term}, epoch ${epoch})`)
  return `${names.join(' and ')} may each be confirmed as the owner of shard ${shard}`
}

const mayBeConfirmed = ({ id, term, configuration: { voters, outgoing } }: Owner, terms: ReadonlyMap<ReplicaId, Term>): boolean =>
  [voters, outgoing].every((half) =>
    half.length === 0 || isQuorum(half.filter((voter) => voter === id || (terms.get(voter) ?? 0) <= term).length, half))
