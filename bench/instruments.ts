/**
 * `node dist/bench/instruments.js`: nanoseconds an observation, for every kind that a node makes as it works, beside prom-client's own
 * instruments. The median of ROUNDS; each is long enough that neither the clock nor a collection of garbage shows.
 */

import Table from 'cli-table3'
import { Counter, Histogram } from 'prom-client'
import { OpCode } from '../actors/shard/operation.ts'
import { createInstruments } from '../observe/instruments.ts'
import { nodeId, shardId } from '../topology/ids.ts'

const ROUNDS = 9
const OBSERVATIONS = 1_000_000

/** Values that differ, so that no branch is always the same. */
const values = Float64Array.from({ length: 1_024 }, (_, i) => ((i * 7_919) % 1_024) / 16)
const valueOf = (i: number): number => values[i & 1_023] ?? 0

const { ports } = createInstruments(() => 0)
const shard = shardId(0)
const put = { code: OpCode.put, key: 'key' }
const ok = { status: 'OK', revision: 1 } as const
const batchOf = (operations: number) => ({
  to: { node: nodeId('n1'), address: 'connection/raw' as const }, arrivedAt: 1, handedAt: 2,
  operations: Array.from({ length: operations }, () => put), results: Array.from({ length: operations }, () => ok),
})
const [single, many] = [batchOf(1), batchOf(64)]
const group = { records: 3, tookMs: 0.4, syncMs: 0.3 }
const counter = new Counter({ name: 'a_total', help: 'a', labelNames: ['op', 'status'], registers: [] })
const histogram = new Histogram({ name: 'b', help: 'b', labelNames: ['op'], registers: [] })

/** What it is, and how many observations one call makes. */
const kinds: readonly (readonly [string, number, (i: number) => void])[] = [
  ['a request told its status', 1, () => ports.natsDoor.told(OpCode.put, 'OK')],
  ['how long a request took', 1, (i) => ports.natsDoor.took(OpCode.put, valueOf(i), 1)],
  ['a batch of 1 answered by its shard', 1, (i) => ports.shard.answered(single, valueOf(i) + 3, shard)],
  ['a batch of 64, each operation', 64, (i) => ports.shard.answered(many, valueOf(i) + 3, shard)],
  ['an append sent', 1, (i) => ports.raft.appendSent(i & 63)],
  ['a group of the log written', 1, () => ports.groupWritten(group)],
  ['prom-client: a counter', 1, () => counter.inc({ op: 'put', status: 'OK' })],
  ['prom-client: a histogram', 1, (i) => histogram.observe({ op: 'put' }, valueOf(i))],
]

const nanosecondsOf = (observations: number, observe: (i: number) => void): number => {
  const calls = Math.ceil(OBSERVATIONS / observations)
  const rounds = Array.from({ length: ROUNDS }, () => {
    const beganAt = performance.now()
    for (let i = 0; i < calls; i += 1) observe(i)
    return (performance.now() - beganAt) * 1e6 / (calls * observations)
  }).sort((a, b) => a - b)
  return rounds[Math.floor(ROUNDS / 2)] ?? 0
}

const table = new Table({ head: ['observation', 'ns'], style: { head: [], border: [] } })
for (const [name, observations, observe] of kinds) table.push([name, nanosecondsOf(observations, observe).toFixed(1)])
process.stdout.write(`${table.toString()}\n`)
