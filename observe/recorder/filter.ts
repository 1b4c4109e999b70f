/** Which records somebody wants: every condition that is given must hold, and of a list one is enough. */

import type { ActorRecord, RecordKind } from './record.ts'

export interface RecordFilter {
  readonly nodes?: readonly string[] | undefined
  /** `raft/7`, or `raft` for all of its kind. */
  readonly actors?: readonly string[] | undefined
  readonly kinds?: readonly RecordKind[] | undefined
  readonly shard?: number | undefined
  readonly trace?: string | undefined
}

export const matcherOf = ({ nodes, actors, kinds, shard, trace }: RecordFilter): ((record: ActorRecord) => boolean) => (record) =>
  (nodes === undefined || nodes.includes(record.node))
  && (actors === undefined || actors.some((actor) => record.actor === actor || record.actor.startsWith(`${actor}/`)))
  && (kinds === undefined || kinds.includes(record.kind))
  && (shard === undefined || record.shard === shard)
  && (trace === undefined || record.trace === trace)
