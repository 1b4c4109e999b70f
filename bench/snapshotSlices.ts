/**
 * `node dist/bench/snapshotSlices.js [KEYS ...]`: how long the cut of a shard's state, and the slices of writing, verifying and loading its
 * snapshot, hold the loop; on the real store and disk.
 *
 * Three causes of a slow slice are told apart: its own work, collection on its thread (PerformanceObserver 'gc', which does not see the
 * steps of incremental marking: run with --no-incremental-marking to have all of it), and waiting for a core, which is wall time less the
 * thread's CPU time. The latter needs `process.threadCpuUsage` (Node 23.9); without it both count as own work.
 */

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PerformanceObserver } from 'node:perf_hooks'
import Table from 'cli-table3'
import { createSystemClock } from '../actors/kernel/systemClock.ts'
import { openRestore } from '../actors/shard/restore.ts'
import { openSnapshot } from '../actors/shard/snapshotCodec.ts'
import { REQUEST_IDS_MAX, createState, storeKey } from '../actors/shard/state.ts'
import { createLocalFiles } from '../storage/localFiles.ts'
import { createNodeFileSystem } from '../storage/nodeFileSystem.ts'
import { createSnapshotFiles } from '../storage/snapshotFiles.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { ShardState } from '../actors/shard/state.ts'
import type { SnapshotInfo, SnapshotStore } from '../storage/snapshotStore.ts'

const VALUE_BYTES = 128
const CUTS = 21
const header = { group: 0, index: 1, term: 1, configuration: { epoch: 0, voters: [], outgoing: [], learners: [] } }

type Phase = 'cut' | 'write' | 'verify' | 'load'

interface Slice {
  readonly phase: Phase
  readonly beganAt: number
  readonly wallMs: number
  readonly cpuMs: number
}

interface Pause {
  readonly startTime: number
  readonly duration: number
}

interface Meter {
  readonly slices: Slice[]
  phase: Phase
}

/** Milliseconds of CPU this thread has used. */
const cpuMs = (): number => {
  const { threadCpuUsage } = process as { readonly threadCpuUsage?: () => NodeJS.CpuUsage }
  if (threadCpuUsage === undefined) return performance.now()
  const { user, system } = threadCpuUsage.call(process)
  return (user + system) / 1_000
}

const measured = (meter: Meter, work: () => void): void => {
  const beganAt = performance.now()
  const cpuAt = cpuMs()
  work()
  const cpu = cpuMs() - cpuAt
  meter.slices.push({ phase: meter.phase, beganAt, wallMs: performance.now() - beganAt, cpuMs: cpu })
}

const stateOf = (keys: number): ShardState => {
  const state = createState()
  for (let i = 0; i < keys; i += 1) {
    const content = { value: new Uint8Array(VALUE_BYTES).fill(i), revision: i + 1, expiresAtMs: 0 }
    storeKey(state, `key-${String(Math.imul(i, 0x9e3779b1) >>> 0).padStart(12, '0')}`, { previous: undefined, content })
  }
  for (let i = 0; i < REQUEST_IDS_MAX; i += 1) {
    state.requests.push({ key: `request-${i}`, outcome: { status: 'OK', revision: i }, content: i + 1 })
  }
  return state
}

const writeSnapshot = (meter: Meter, store: SnapshotStore, state: ShardState): Promise<SnapshotInfo> => new Promise((resolve, reject) => {
  const chunks = openSnapshot(state)
  meter.phase = 'write'
  store.write(header, {
    next: (...entriesMax) => {
      const next = chunks.next(...entriesMax)
      if (next.done === true) meter.phase = 'verify'
      return next
    },
  }, (error, info) => (error === null ? resolve(info) : reject(error)))
})

const loadSnapshot = (meter: Meter, store: SnapshotStore, info: SnapshotInfo): Promise<void> => new Promise((resolve, reject) => {
  const restore = openRestore()
  meter.phase = 'load'
  store.load(info, restore.push, (error) => {
    const restored = restore.finish()
    if (error === null && 'state' in restored) resolve()
    else reject(error ?? new Error('the snapshot does not restore'))
  })
})

const run = async (keys: number): Promise<{ readonly meter: Meter; readonly pauses: readonly Pause[] }> => {
  const files = createLocalFiles()
  const directory = join(tmpdir(), `shardkv-slices-${process.pid}`)
  const pauses: Pause[] = []
  const observer = new PerformanceObserver((list) => { pauses.push(...list.getEntries()) })
  const meter: Meter = { slices: [], phase: 'cut' }
  const clock: Clock = { ...createSystemClock(), defer: (fn) => { setImmediate(() => measured(meter, fn)) } }
  await files.makeDirectory(directory)
  const store = createSnapshotFiles({ fileSystem: createNodeFileSystem(directory), clock })
  const state = stateOf(keys)
  observer.observe({ entryTypes: ['gc'] })
  for (let cut = 0; cut < CUTS; cut += 1) {
    measured(meter, () => { openSnapshot(state) })
    await new Promise((resolve) => { setImmediate(resolve) })
  }
  await loadSnapshot(meter, store, await writeSnapshot(meter, store, state))
  await new Promise((resolve) => { setTimeout(resolve, 10) })
  observer.disconnect()
  await files.remove(directory)
  return { meter, pauses }
}

interface Costs {
  readonly own: number
  readonly collection: number
  readonly waiting: number
}

/** A collection runs on the slice's thread, so its time is CPU time; what is wall and not CPU is waiting. */
const costsOf = ({ beganAt, wallMs, cpuMs: cpu }: Slice, pauses: readonly Pause[]): Costs => {
  const endedAt = beganAt + wallMs
  const collection = pauses.reduce((sum, { startTime, duration }) =>
    sum + Math.max(0, Math.min(endedAt, startTime + duration) - Math.max(beganAt, startTime)), 0)
  return { own: Math.max(0, cpu - collection), collection, waiting: Math.max(0, wallMs - cpu) }
}

const at = (sorted: readonly number[], share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(2)

const rowsOf = (keys: number, { slices }: Meter, pauses: readonly Pause[]): (string | number)[][] =>
  (['cut', 'write', 'verify', 'load'] as const).map((phase) => {
    const costs = slices.filter((slice) => slice.phase === phase).map((slice) => costsOf(slice, pauses))
    const sorted = (cost: keyof Costs): number[] => costs.map((each) => each[cost]).sort((a, b) => a - b)
    const own = sorted('own')
    return [keys, phase, own.length, at(own, 0.5), at(own, 0.99), at(own, 1), at(sorted('collection'), 1), at(sorted('waiting'), 1)]
  })

const table = new Table({
  head: ['keys', 'what', 'slices', 'own p50 ms', 'own p99 ms', 'own max ms', 'collection max ms', 'waiting max ms'],
  style: { head: [], border: [] },
})
const wanted = process.argv.slice(2).map(Number)
for (const keys of wanted.length > 0 ? wanted : [100_000, 1_000_000]) {
  const { meter, pauses } = await run(keys)
  for (const row of rowsOf(keys, meter, pauses)) table.push(row)
}
process.stdout.write(`${table.toString()}\n`)
