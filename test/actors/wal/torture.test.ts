/**
 * Every single disk call of every scenario is hit in turn, by a power loss, an I/O error, a full disk or a short write: nothing
 * acknowledged is lost, and nothing invented.
 */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../../actors/kernel/random.ts'
import type { DiskCall, DiskFault, DiskImage } from '../../../storage/memoryFileSystem.ts'
import { createRig, emptyState, entryOf, matchingPrefix } from './rig.ts'
import type { GroupModel, Rig } from './rig.ts'
import { scenarios } from './scenarios.ts'

const isFull = process.env['SHARDKV_TORTURE'] === 'full'
const keepsAfter = (call: number): readonly number[] => (isFull ? [0, 0.2, 0.5, 0.5, 0.8, 1] : call % 2 === 0 ? [0, 0.5] : [0.5, 1])

interface Run { readonly rig: Rig; readonly calls: number }

/** Runs a scenario with a fault drawn for every call by its number. */
const play = (run: (rig: Rig) => void, faultAt: (call: number, what: DiskCall) => DiskFault | undefined, image?: DiskImage): Run => {
  let calls = 0
  const fault = (what: DiskCall): DiskFault | undefined => {
    calls += 1
    return faultAt(calls, what)
  }
  const rig = createRig(image === undefined ? { fault } : { fault, image }).open()
  if (rig.report() !== undefined) run(rig)
  return { rig, calls }
}

const expectPrefix = (image: DiskImage, models: ReadonlyMap<number, GroupModel>, context: string): Rig => {
  const rig = createRig({ image }).open()
  expect([context, rig.failure(), rig.wal.state()]).toEqual([context, undefined, 'idle'])
  const report = rig.report()
  expect([context, report?.damagedNode]).toEqual([context, undefined])
  for (const [group, model] of models) {
    const { hardState, mark, entries } = emptyState
    const recovered = report?.groups.get(group) ?? { group, hardState, snapshot: mark, entries }
    expect([context, group, matchingPrefix(model, recovered) !== undefined]).toEqual([context, group, true])
  }
  return rig
}

/** The log still works, and a second restart agrees with the first. */
const expectContinues = (rig: Rig, context: string): void => {
  const before = rig.report()?.groups
  const ticket = rig.append(99, { entries: [entryOf(1)] })
  expect([context, rig.clock.runUntil(() => rig.isAcknowledged(ticket), 5_000)]).toEqual([context, true])
  const again = createRig({ image: rig.disk.crash({ random: createRandom(1), keep: 0 }) }).open()
  expect([context, again.report()?.groups.get(99)?.entries.length]).toEqual([context, 1])
  for (const [group, recovered] of before ?? []) {
    if (group !== 99) expect([context, again.report()?.groups.get(group)]).toEqual([context, recovered])
  }
}

describe.each(scenarios)('a log through "%s"', (name, run) => {
  test('loses nothing acknowledged and invents nothing, whichever call a power loss follows', () => {
    const { calls } = play(run, () => undefined)
    for (let last = 1; last <= calls; last += 1) {
      for (const [variant, keep] of keepsAfter(last).entries()) {
        const { rig } = play(run, (call) => (call > last ? { kind: 'hang' } : undefined))
        const context = `${name}: crash after call ${last} of ${calls}, keep ${keep}`
        const image = rig.disk.crash({ random: createRandom(last * 31 + variant), keep })
        const recovered = expectPrefix(image, rig.models, context)
        if (last % 5 === variant) expectContinues(recovered, context)
      }
    }
  })

  test('loses nothing when the recovery itself loses power at any of its calls', () => {
    const { rig: first, calls: total } = play(run, () => undefined)
    const { rig } = play(run, (call) => (call > total - 2 ? { kind: 'hang' } : undefined))
    expect(first.failure()).toBeUndefined()
    const image = rig.disk.crash({ random: createRandom(7), keep: 0.5 })
    const { calls } = play(() => {}, () => undefined, image)
    for (let last = 1; last <= calls; last += 1) {
      const second = play(() => {}, (call) => (call > last ? { kind: 'hang' } : undefined), image)
      expectPrefix(second.rig.disk.crash({ random: createRandom(last), keep: 0.5 }), rig.models, `${name}: recovery call ${last}`)
    }
  })

  test('stops for good after an I/O error of any call, and has lost nothing acknowledged', () => {
    const { calls } = play(run, () => undefined)
    for (let bad = 1; bad <= calls; bad += 1) {
      const { rig } = play(run, (call) => (call === bad ? { kind: 'error', code: 'EIO' } : undefined))
      const context = `${name}: EIO at call ${bad}`
      rig.clock.advance(2_000)
      expect([context, rig.failure(), rig.wal.state()]).toEqual([context, undefined, 'halted'])
      expect([context, rig.notices.filter(({ type }) => type === 'wal.failed').length]).toEqual([context, 1])
      const acknowledged = rig.notices.length
      rig.append(1, { entries: [] })
      rig.clock.advance(1_000)
      expect([context, rig.notices.length]).toEqual([context, acknowledged])
      expectPrefix(rig.disk.crash({ random: createRandom(bad), keep: 0.5 }), rig.models, context)
    }
  })

  test('survives a full disk at any write, recovers by itself, and acknowledges everything', () => {
    const { calls } = play(run, () => undefined)
    for (let bad = 1; bad <= calls; bad += 1) {
      let isWrite = false
      const { rig } = play(run, (call, what) => {
        if (call !== bad || what.operation !== 'writev') return undefined
        isWrite = true
        return { kind: 'error', code: 'ENOSPC' }
      })
      if (!isWrite || name === 'close') continue
      const context = `${name}: ENOSPC at call ${bad}`
      rig.clock.advance(3_000)
      expect([context, rig.wal.state(), rig.wal.isFull(), rig.wal.backlogBytes()]).toEqual([context, 'idle', false, 0])
      for (const model of rig.models.values()) {
        const submitted = Math.max(0, ...model.tickets.values())
        expect([context, model.acknowledged]).toEqual([context, submitted])
      }
      expectPrefix(rig.disk.crash({ random: createRandom(bad), keep: 0 }), rig.models, context)
    }
  })

  test('writes on after a short write of any length', () => {
    const { calls } = play(run, () => undefined)
    for (let short = 1; short <= calls; short += 1) {
      const bytes = 1 + (short * 977) % 5_000
      const { rig } = play(run, (call) => (call === short ? { kind: 'short', bytes } : undefined))
      rig.clock.advance(500)
      const context = `${name}: short write of ${bytes} at call ${short}`
      expect([context, rig.failure(), rig.wal.backlogBytes()]).toEqual([context, undefined, 0])
      expectPrefix(rig.disk.crash({ random: createRandom(short), keep: 0 }), rig.models, context)
    }
  })
})
