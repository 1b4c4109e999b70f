/** Which replicas that the map names are neither begun nor called damaged before the meta group was asked: docs/adr/0009-replacement.md. */

import { isInDoubt } from './knownReplicas.ts'
import type { KnownReplica } from './knownReplicas.ts'
import type { NamedReplica } from './namedReplicas.ts'
import type { ReplicaHostOptions } from './replicaHostOptions.ts'
import type { GroupId } from './ids.ts'

export interface Doubtful {
  readonly options: Pick<ReplicaHostOptions, 'named' | 'nextGeneration'>
  /** What is here of a group. */
  readonly slots: ReadonlyMap<GroupId, unknown>
  readonly known: ReadonlyMap<GroupId, KnownReplica>
  readonly damagedNode: string | undefined
  /** Groups of which a linearizable read named the replica that they were born with here. */
  readonly neverLeft: ReadonlySet<GroupId>
}

export const hasDoubts = (host: Doubtful): boolean => host.options.named().some((named) => isDoubted(host, named))

/** Where the log is damaged, too, it is quarantined, and no word helps it. */
export const isDoubted = (host: Doubtful, named: NamedReplica): boolean => {
  const { slots, known, damagedNode, neverLeft } = host
  return damagedNode === undefined && !slots.has(named.group) && !neverLeft.has(named.group) && isInDoubt(known, named)
    && isMapOfBefore(host)
}

/** The one of the start was none, or is older than a replica of the log: it may be of before this directory was. */
const isMapOfBefore = ({ options, known }: Doubtful): boolean => {
  const next = options.nextGeneration()
  return next === null || [...known.values()].some(({ generation }) => generation >= next)
}
