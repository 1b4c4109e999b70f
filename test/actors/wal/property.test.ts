/**
 * Seeded lives of random appends, votes, truncations, marks and crashes, on roomy and on full disks, against a dumb model: what a
 * restart recovers is a prefix of the model that covers what was acknowledged.
 */

import { describe, expect, test } from '@jest/globals'
import { between, chance, createRandom } from '../../../actors/kernel/random.ts'
import type { Random } from '../../../actors/kernel/random.ts'
import type { DiskImage } from '../../../storage/memoryFileSystem.ts'
import type { RecoveredGroup } from '../../../actors/wal/protocol.ts'
import { createRig, currentState, entryOf, matchingPrefix, modelOf, vote } from './rig.ts'
import type { GroupModel, Rig, RigOptions } from './rig.ts'

/** Seeds that once caught a mistake, run for ever. */
const CORPUS = [254]
const FULL_DISK_CORPUS = [10_346, 10_981]
const SEEDS = process.env['SHARDKV_TORTURE'] === 'full' ? 3_000 : 150

/** As Raft does: an index and a term name one entry for ever, so another content comes under a term never used before. */
const terms = new Map<number, number>()
const nextTerm = (group: number, isFresh: boolean): number => {
  const term = (terms.get(group) ?? 1) + (isFresh ? 1 : 0)
  terms.set(group, term)
  return term
}

const randomAppend = (random: Random, rig: Rig, group: number): void => {
  const { entries, mark, hardState } = currentState(modelOf(rig.models, group))
  const last = mark.index + entries.length
  const truncates = entries.length > 0 && chance(random, 0.15)
  const from = truncates ? between(random, mark.index + 1, last) : last + 1
  const term = nextTerm(group, truncates || chance(random, 0.1))
  const count = between(random, 0, 6)
  const big = chance(random, 0.02)
  const appended = Array.from({ length: count }, (_, at) => {
    const bytes = big && at === 0 ? between(random, 9_000, 40_000) : between(random, 0, 900)
    return entryOf(from + at, { term, bytes, fill: random.uint32() & 0xff })
  })
  const withVote = chance(random, 0.3) || term > hardState.term
  rig.append(group, {
    entries: appended, reserved: chance(random, 0.2),
    ...(withVote ? { hardState: { term, vote: hardState.term === term && hardState.vote !== '' ? hardState.vote : vote('n') } } : {}),
  })
}

const randomMark = (random: Random, rig: Rig, group: number): void => {
  const { entries, mark } = currentState(modelOf(rig.models, group))
  if (chance(random, 0.8)) {
    const entry = entries[between(random, 0, entries.length - 1)]
    if (entry !== undefined) rig.compact(group, { index: entry.index, term: entry.term })
    return
  }
  const inside = entries[between(random, 0, entries.length - 1)]
  if (inside !== undefined && chance(random, 0.5)) {
    rig.install(group, { index: inside.index, term: chance(random, 0.5) ? inside.term : nextTerm(group, true) })
    nextTerm(group, true)
  } else rig.install(group, { index: mark.index + entries.length + between(random, 1, 50), term: nextTerm(group, true) })
}

const live = (random: Random, rig: Rig): void => {
  const groups = between(random, 1, 5)
  const steps = between(random, 1, 60)
  const cold = chance(random, 0.5) ? 0 : -1
  for (let step = 0; step < steps; step += 1) {
    const group = between(random, 0, groups - 1)
    if (group === cold && step > 5) continue
    if (chance(random, 0.15)) randomMark(random, rig, group)
    else randomAppend(random, rig, group)
    if (chance(random, 0.5)) rig.clock.advance(chance(random, 0.1) ? 300 : between(random, 0, 30) / 10)
  }
}

const checkGroups = (rig: Rig, models: Map<number, GroupModel>, context: string): void => {
  const report = rig.report()
  expect([context, rig.failure(), rig.wal.state()]).toEqual([context, undefined, 'idle'])
  expect([context, report?.damagedNode]).toEqual([context, undefined])
  for (const [group, model] of models) {
    const empty: RecoveredGroup = { group, hardState: { term: 0, vote: '' }, snapshot: { index: 0, term: 0 }, entries: [] }
    const recovered = report?.groups.get(group) ?? empty
    expect([context, group, recovered.quarantined]).toEqual([context, group, undefined])
    const prefix = matchingPrefix(model, recovered)
    expect([context, group, prefix === undefined ? { acknowledged: model.acknowledged, steps: model.steps.length } : 'prefix'])
      .toEqual([context, group, 'prefix'])
    model.base = { hardState: recovered.hardState, mark: recovered.snapshot, entries: recovered.entries }
    model.steps = []
    model.acknowledged = 0
    model.tickets.clear()
  }
}

const runSeed = (seed: number, limits: RigOptions): void => {
  const random = createRandom(seed)
  const config = {
    segmentBytes: between(random, 3, 16) * 4_096, groupBytesMax: between(random, 1, 16) * 1_024,
    segmentsWanted: between(random, 1, 4), copyForwardBytesMax: between(random, 0, 8) * 1_024,
  }
  const models = new Map<number, GroupModel>()
  terms.clear()
  let image: DiskImage | undefined
  for (let life = 0; life < 4; life += 1) {
    const rig = createRig({ ...limits, config, models, ...(image === undefined ? {} : { image }) }).open()
    checkGroups(rig, models, `seed ${seed} life ${life}`)
    for (const group of models.keys()) nextTerm(group, true)
    live(random, rig)
    expect(rig.failure()).toBeUndefined()
    image = rig.disk.crash({ random, keep: between(random, 0, 4) / 4 })
    rig.wal.stop()
  }
}

describe('the log against a dumb model', () => {
  test('whatever is done and whenever it crashes, each group recovers to a prefix that covers what was acknowledged', () => {
    for (const seed of CORPUS) runSeed(seed, {})
    for (let seed = 1; seed <= SEEDS; seed += 1) runSeed(seed, {})
  })

  test('so it does on a disk that is full half of the time', () => {
    for (const seed of FULL_DISK_CORPUS) runSeed(seed, { capacityBytes: 100_000 })
    for (let seed = 1; seed <= SEEDS / 3; seed += 1) runSeed(10_000 + seed, { capacityBytes: 100_000 })
  })
})
