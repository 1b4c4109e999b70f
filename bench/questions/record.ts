/**
 * `bench record`: what the recorder costs, without a cluster: nanoseconds for a record with nobody watching, with somebody watching, and
 * for the question whether anybody does; and how far the reckoned bytes of a full ring are from those of the heap and its buffers.
 *
 * A durable PUT makes a record on its leader for each batch it shares, and one for each commit group on every disk. What that is of a PUT:
 * docs/RECORDING.md, with the line that measures a whole cluster with and without.
 */

import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { createNodeRecorder } from '../../observe/recorder/recorder.ts'
import { withJsonFlag } from '../flags.ts'
import { printResult } from '../report.ts'
import type { Command } from 'commander'
import type { PrintFlags } from '../flags.ts'
import type { NodeRecorder } from '../../observe/recorder/recorder.ts'

const ROUNDS = 7
const RECORDS = 300_000
const NANOS_PER_MICRO = 1_000

export const addRecord = (program: Command): void => {
  withJsonFlag(program.command('record').description('the cost of the recorder, in nanoseconds')).action(async (flags: PrintFlags) => {
    const recorder = createNodeRecorder({ node: 'n1', clock: createSystemClock() })
    const before = memoryBytes()
    const lines = [
      ['a record, nobody watches', nanosOf(() => propose(recorder))],
      ['asking whether every message is wanted', nanosOf(() => { if (recorder.isDetailed()) propose(recorder) })],
    ] as const
    const { bytes } = recorder.figures()
    const measured = memoryBytes() - before
    const stop = recorder.listen(() => {})
    const watched = nanosOf(() => propose(recorder))
    stop()
    const rows = [...lines, ['a record, somebody watches', watched] as const]
    await printResult(flags.json === true, { nanos: Object.fromEntries(rows), ring: { bytes, memoryBytes: measured } }, [
      ...rows.map(([what, nanos]) => `${what.padEnd(40)} ${nanos.toFixed(0).padStart(6)} ns`),
      `a full ring: ${bytes} bytes by its own reckoning, ${measured} of the heap and its buffers`,
    ].join('\n'))
  })
}

const propose = (recorder: NodeRecorder): void =>
  recorder.record({ actor: 'shard/7', kind: 'batch', event: 'proposal', shard: 7, term: 3, bytes: 2_000, detail: { operations: 16 } })

/** CPU, collection of garbage included: what else the machine does does not count. Of the median round: the first ones compile it. */
const nanosOf = (work: () => void): number => {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage()
    for (let i = 0; i < RECORDS; i += 1) work()
    const { user, system } = process.cpuUsage(before)
    return (user + system) * NANOS_PER_MICRO / RECORDS
  })
  return rounds.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0
}

const memoryBytes = (): number => {
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
