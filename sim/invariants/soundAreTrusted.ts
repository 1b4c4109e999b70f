/**
 * Nobody is quarantined for nothing: a replica on a disk that was never damaged keeps its vote, whatever a power loss has torn there. The
 * other way round is what the rest is about: what damage made it forget must not be counted.
 */

import type { Invariant } from '../view.ts'

export const createSoundAreTrusted = (): Invariant => ({
  name: 'replicas on sound disks are trusted',
  check: ({ id, shard, quarantined, hasDamagedDisk }) => (quarantined === undefined || hasDamagedDisk ? null
    : `${id} of shard ${shard} is quarantined, and its disk was never damaged: ${quarantined}`),
})
