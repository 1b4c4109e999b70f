/** The rings of a node, filled with whatever is recorded, against the memory of a process that holds nothing else. */

import { spawnSync } from 'node:child_process'
import { expect, test } from '@jest/globals'
import { builtFile } from '../../chaos/ground/checkout.ts'

const TEST_MS_MAX = 120_000

/** One of each kind, with ids and names that no other record shares. Phases come as the tracing port tells them. */
const program = `
  import { randomBytes } from 'node:crypto'
  import { RING_BYTES_MAX, createNodeRecorder } from '${builtFile('observe/recorder/recorder.js')}'
  import { createRequestRecorder } from '${builtFile('observe/recorder/requests.js')}'
  const id = (bytes) => randomBytes(bytes).toString('hex')
  const clock = { now: () => performance.now(), wall: () => Date.now() }
  // Batches are packed in buffers, which are not of the heap.
  const memory = () => {
    gc()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  const before = memory()
  const recorder = createNodeRecorder({ node: 'n1', clock })
  const { tracing } = createRequestRecorder({ recorder, clock })
  const kinds = {
    group: (i) => recorder.record({ actor: 'wal', kind: 'batch', event: 'group', micros: i, bytes: i, detail: { records: 1 + i % 30 } }),
    phase: (i) => tracing.passed({
      endedAt: 0, trace: { traceId: id(16), spanId: '', flags: 1 }, phase: 'replicate', actor: 'raft/7', shard: 7, micros: i, term: 4,
      peer: 'n2', bytes: 77,
    }),
    send: (i) => recorder.record({
      actor: 'raft/7', kind: 'send', peer: 'n2', event: 'raft.append', shard: 7, trace: id(16), term: 3, bytes: i,
      detail: { index: i, entries: 2 },
    }),
    reply: (i) => recorder.record({
      actor: 'door', kind: 'phase', event: 'reply', shard: 7, trace: id(16), micros: i, detail: { op: 'put', status: 'OK', key: id(8) },
    }),
    note: (i) => recorder.record({ actor: 'raft/7', kind: 'note', event: id(20), shard: 7, term: i, detail: { index: i } }),
  }
  const take = kinds[process.argv[1]]
  // Story and traffic are rings of their own.
  for (let i = 0; i < 120_000; i += 1) { take(i); if (i % 3 === 0) kinds.note(i) }
  const { bytes, dropped } = recorder.figures()
  console.log(JSON.stringify({ limit: RING_BYTES_MAX, bytes, dropped, real: memory() - before }))`

test.each(['group', 'phase', 'send', 'reply', 'note'])('full of records like "%s" they take no more than 16 MiB', (kind) => {
  const args = ['--expose-gc', '--input-type=module', '--eval', program, kind]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  const { limit, bytes, dropped, real } = JSON.parse(stdout || `"${stderr}"`) as Readonly<Record<string, number>>
  const most = 16 * 1_024 * 1_024
  expect([limit, Number(bytes) <= most, Number(dropped) > 0, Number(real) <= most]).toEqual([most, true, true, true])
}, TEST_MS_MAX)
