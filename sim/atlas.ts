/**
 * Which disks may be damaged: of every shard a majority of replicas keeps a good copy, so that whatever a quorum acknowledged is on a good
 * disk of every quorum that is left. (TigerBeetle's fault atlas does this by sector; here a damaged replica counts for nothing.)
 */

import { nodeOf } from '../topology/ids.ts'
import type { Cluster, Machine } from './cluster.ts'

/** One that is damaged already may be damaged again. */
export const mayDamage = ({ genesis, machines }: Pick<Cluster, 'genesis' | 'machines'>, machine: Machine): boolean => {
  const damaged = new Set<string>(machines.filter(({ isDamaged }) => isDamaged).map(({ id }) => id)).add(machine.id)
  return (genesis[0]?.replicas ?? []).every((replicas) => {
    const good = replicas.filter((replica) => !damaged.has(nodeOf(replica)))
    return good.length > replicas.length / 2
  })
}
