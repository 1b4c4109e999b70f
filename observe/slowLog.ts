/**
 * A line for each request that took longer than the operator wants to hear of, with the phases of its time: how long it was gathered before
 * Raft had it, how long Raft took, and how long the latest sync of the log lasted. Durations are whole microseconds. A sampled one has its
 * trace, and the span of the door or of the shard.
 */

import { traceFields } from '../actors/kernel/trace.ts'
import { OpCode } from '../actors/shard/operation.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { AnsweredBatch } from '../actors/shard/actor.ts'
import type { DoorInstruments } from '../gateway/instruments.ts'
import type { NodeInstruments } from '../topology/nodeOptions.ts'

const names = new Map<number, string>(Object.entries(OpCode).map(([name, code]) => [code, name]))
const micros = (ms: number): number => Math.round(ms * 1_000)

/** The same instruments, and the log behind them. A request that is not slow costs one comparison. */
export const loggingSlow = (instruments: NodeInstruments, log: Logger, slowMs: number): NodeInstruments => {
  let syncMs = 0
  const shardLog = log.child({ actor: 'shard' })
  const doorLog = (door: DoorInstruments, where: string): DoorInstruments => ({
    ...door,
    took: (code, tookMs, operations, status, trace) => {
      door.took(code, tookMs, operations, status, trace)
      if (tookMs < slowMs) return
      const fields = { actor: where, cmd: names.get(code) ?? 'none', operations, status, latency_us: micros(tookMs) }
      log.warn({ ...fields, ...traceFields(trace) }, 'a request was slow at the door')
    },
  })
  return {
    ...instruments,
    natsDoor: doorLog(instruments.natsDoor, 'gateway'),
    batchDoor: doorLog(instruments.batchDoor, 'batch'),
    groupWritten: (group) => {
      syncMs = group.syncMs
      instruments.groupWritten(group)
    },
    shard: {
      ...instruments.shard,
      answered: (batch, now, shard, trace) => {
        instruments.shard.answered(batch, now, shard, trace)
        if (now - batch.arrivedAt < slowMs) return
        const fields = { shard, ...slowFields(batch, now), wal_sync_us: micros(syncMs) }
        shardLog.warn({ ...fields, ...traceFields(trace) }, 'a request was slow')
      },
    },
  }
}

const slowFields = ({ operations, results, arrivedAt, handedAt, to }: AnsweredBatch, now: number) => ({
  cmd: names.get(operations[0]?.code ?? 0) ?? 'none',
  operations: operations.length,
  status: results.find(({ status }) => status !== 'OK')?.status ?? 'OK',
  from: to.node,
  conn_id: to.address.replace('connection/', ''),
  latency_us: micros(now - arrivedAt),
  gather_us: handedAt === 0 ? 0 : micros(handedAt - arrivedAt),
  raft_us: handedAt === 0 ? 0 : micros(now - handedAt),
})
