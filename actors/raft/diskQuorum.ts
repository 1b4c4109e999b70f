/**
 * Whether an election could succeed, as far as disks go. A vote is durable before it leaves, and on a full disk it waits behind the entries
 * that found no room: a leader that steps down or hands over while most disks are full or stand still leaves nobody to lead, and
 * nobody to read from.
 */

import { isQuorum } from './quorum.ts'
import { configurationOf } from './state.ts'
import type { RaftCore } from './state.ts'

/** As leader: so many members have a disk that moves that these could write their votes. */
export const canElect = (core: RaftCore): boolean => isQuorum(configurationOf(core), (member) =>
  !(member === core.self ? core.isDiskStalled : core.leading.progress.get(member)?.isDiskStalled ?? false))
