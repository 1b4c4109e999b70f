/**
 * One owner of a shard: only the leader of a term serves it, and of one term only one replica ever does. Until shards move, the members
 * never change and the term is the only epoch there is.
 */

import type { ReplicaId } from '../../topology/ids.ts'
import type { Invariant } from '../view.ts'

export const createOneOwner = (): Invariant => {
  const owners = new Map<string, ReplicaId>()
  return {
    name: 'one owner of a shard',
    check: ({ id, shard, term, role, isServing }) => {
      if (!isServing) return null
      if (role !== 'leader') return `${id} serves shard ${shard} in term ${term} and is ${role}`
      const key = `${shard} ${term}`
      const owner = owners.get(key) ?? id
      owners.set(key, owner)
      return owner === id ? null : `${id} and ${owner} have both served shard ${shard} in term ${term}`
    },
  }
}
