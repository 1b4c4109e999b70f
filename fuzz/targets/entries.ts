/** The payloads of log entries: batches of operations, and configurations. */

import { between } from '../../actors/kernel/random.ts'
import { decodeConfiguration, encodeConfiguration } from '../../actors/raft/membership.ts'
import { decodeBatch, encodeBatch } from '../../actors/shard/batch.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { nodeId, replicaId } from '../../topology/ids.ts'
import { drawList, drawOperation, drawWhole, drawWord } from '../draw.ts'
import { refused } from '../target.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Target } from '../target.ts'

const proposable = Object.values(OpCode).filter((code) => code !== OpCode.get)

export const batchEntry: Target = {
  name: 'batch entry', share: 8, isCanonical: true,
  example: (random) => encodeBatch({ timeMs: drawWhole(random), operations: drawList(random, 4, (r) => drawOperation(r, proposable)) }),
  decode: (bytes) => {
    const decoded = decodeBatch(bytes)
    if ('reason' in decoded) return refused(decoded.reason)
    const { operations } = decoded.value
    return { ok: true, shape: operations.map(({ code }) => code).join(' '), again: encodeBatch(decoded.value), value: operations }
  },
}

const drawReplica = (random: Random): ReplicaId => replicaId(nodeId(drawWord(random, 6)), between(random, 1, 9))

/** Written by a leader of this group and agreed upon: what is none is a bug, and its assertion stops the process (membership.ts). */
export const configuration: Target = {
  name: 'configuration', share: 2, isCanonical: false,
  example: (random) => encodeConfiguration({
    epoch: between(random, 0, 9),
    voters: [drawReplica(random), ...drawList(random, 3, drawReplica)], outgoing: drawList(random, 2, drawReplica),
    learners: drawList(random, 2, drawReplica),
  }),
  decode: (bytes) => {
    try {
      const found = decodeConfiguration(bytes)
      const shape = `${found.voters.length} ${found.outgoing.length} ${found.learners.length}`
      return { ok: true, shape, again: encodeConfiguration(found) }
    } catch (error) {
      if (error instanceof Error && error.name === 'AssertionError') return refused(error.message)
      throw error
    }
  },
  words: ['\n', ' ', ':', 'a:1', 'n1:2'],
}
