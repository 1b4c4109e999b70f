/**
 * Random lives of a log: appends, votes, truncations, marks and crashes, on roomy and on full disks, drawn from a seed; in some, replicas
 * come and go, and a new one may give another content to an index and a term of the one before it. After every crash
 * each group must have recovered to a prefix of its model that covers what was acknowledged.
 *
 * On a whimsical disk calls take any time, and writes into what was made ahead find no room now and then, as on file systems that never
 * write in place: the log is blocked in the middle of a group. There some lives end with the log closed, whatever it is in the middle of.
 */

import { between, chance, createRandom } from '../actors/kernel/random.ts'
import { currentState, emptyState, matchingPrefix, modelOf } from './model.ts'
import { createRig, entryOf, vote } from './rig.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { WalConfig } from '../actors/wal/config.ts'
import type { DiskCall, DiskImage } from '../storage/memoryFileSystem.ts'
import type { GroupModel, ModelState } from './model.ts'
import type { Rig, RigOptions } from './rig.ts'

const LIVES = 4
const GROUPS_MAX = 5

/**
 * As Raft does: an index and a term name one entry for ever, so another content comes under a term that its group never used before.
 * The terms of a rig's groups outlive its crashes with its models.
 */
type Terms = Map<number, number>

const nextTerm = (terms: Terms, group: number, isFresh: boolean): number => {
  const term = (terms.get(group) ?? 1) + (isFresh ? 1 : 0)
  terms.set(group, term)
  return term
}

interface Life { readonly random: Random; readonly rig: Rig; readonly terms: Terms }

const randomAppend = ({ random, rig, terms }: Life, group: number): void => {
  const { entries, mark, hardState } = currentState(modelOf(rig.models, group))
  const last = mark.index + entries.length
  const truncates = entries.length > 0 && chance(random, 0.15)
  const from = truncates ? between(random, mark.index + 1, last) : last + 1
  const term = nextTerm(terms, group, truncates || chance(random, 0.1))
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

const randomMark = ({ random, rig, terms }: Life, group: number): void => {
  const { entries, mark } = currentState(modelOf(rig.models, group))
  if (chance(random, 0.8)) {
    const entry = entries[between(random, 0, entries.length - 1)]
    if (entry !== undefined) rig.compact(group, { index: entry.index, term: entry.term })
    return
  }
  const inside = entries[between(random, 0, entries.length - 1)]
  if (inside !== undefined && chance(random, 0.5)) {
    rig.install(group, { index: inside.index, term: chance(random, 0.5) ? inside.term : nextTerm(terms, group, true) })
    nextTerm(terms, group, true)
  } else rig.install(group, { index: mark.index + entries.length + between(random, 1, 50), term: nextTerm(terms, group, true) })
}

/** True when this step is a replica's coming or going, or there is none. */
const randomReplica = ({ random, rig, terms }: Life, group: number): boolean => {
  const { replica } = currentState(modelOf(rig.models, group))
  const isRemoved = replica?.isRemoved === true
  if (!chance(random, isRemoved ? 0.3 : 0.08)) return isRemoved
  const generation = replica?.generation ?? 1
  if (!isRemoved && chance(random, 0.5)) rig.retire(group, generation)
  else rig.adopt(group, generation + between(random, 1, 3))
  if (chance(random, 0.5)) terms.delete(group)
  return true
}

export interface StepsOptions {
  readonly steps: number
  readonly withReplicas?: boolean
  readonly terms?: Terms
  /** After each; what waits is not yet on disk. */
  readonly onStep: () => void
}

export const randomSteps = (random: Random, rig: Rig, options: StepsOptions): void => {
  const { steps, terms = new Map(), withReplicas = false, onStep } = options
  const life: Life = { random, rig, terms }
  const groups = between(random, 1, GROUPS_MAX)
  const cold = chance(random, 0.5) ? 0 : -1
  for (let step = 0; step < steps; step += 1) {
    const group = between(random, 0, groups - 1)
    if (group === cold && step > 5) continue
    if (!withReplicas || !randomReplica(life, group)) {
      if (chance(random, 0.15)) randomMark(life, group)
      else randomAppend(life, group)
    }
    onStep()
  }
}

export const randomConfig = (random: Random): Partial<WalConfig> => ({
  segmentBytes: between(random, 3, 16) * 4_096, groupBytesMax: between(random, 1, 16) * 1_024,
  segmentsWanted: between(random, 1, 4), copyForwardBytesMax: between(random, 0, 8) * 1_024,
})

/** What a restart got wrong; undefined when nothing. The models go on from what was recovered. */
const restartProblem = (rig: Rig, models: Map<number, GroupModel>): string | undefined => {
  const report = rig.report()
  if (rig.failure() !== undefined || rig.wal.state() !== 'open') return `is ${rig.wal.state()}: ${String(rig.failure())}`
  if (report?.damagedNode !== undefined) return `reports damage: ${report.damagedNode}`
  for (const [group, model] of models) {
    const { hardState, mark, entries } = emptyState
    const recovered = report?.groups.get(group) ?? { group, hardState, snapshot: mark, entries }
    if (recovered.quarantined !== undefined) return `group ${group} is quarantined: ${recovered.quarantined}`
    if (matchingPrefix(model, recovered) === undefined) {
      return `group ${group} is no prefix of its ${model.steps.length} steps that covers the ${model.acknowledged} acknowledged`
    }
    model.base = { ...recovered, mark: recovered.snapshot }
    model.steps = []
    model.acknowledged = 0
    model.tickets.clear()
  }
  return undefined
}

const newestTerm = ({ hardState, mark, entries }: ModelState): number =>
  Math.max(hardState.term, mark.term, ...entries.map(({ term }) => term))

/** Of calls, of writes, and of lives. */
const SLOW_SHARE = 0.1
const ROOMLESS_SHARE = 0.03
const CLOSED_SHARE = 0.4
const ROOMLESS_MAX = 3
const CLOSE_MS_MAX = 5_000

interface Whims extends Pick<RigOptions, 'latencyMs' | 'fault'> {
  /** It has opened: from now on there may be no room. */
  readonly begin: () => void
  readonly closes: () => boolean
}

/** Drawn from a stream of its own: the other lives are what they were. */
const whimsOf = (seed: number): Whims => {
  const random = createRandom(seed * 7_919 + 13)
  let roomless = Number.NEGATIVE_INFINITY
  const isWrite = ({ operation }: DiskCall): boolean => operation === 'writev' || operation === 'writeSynced'
  return {
    latencyMs: () => (chance(random, SLOW_SHARE) ? between(random, 1, 40) : between(random, 0, 20) / 10),
    fault: (call) => {
      if (!isWrite(call) || roomless === Number.NEGATIVE_INFINITY) return undefined
      if (roomless === 0 && chance(random, ROOMLESS_SHARE)) roomless = between(random, 1, ROOMLESS_MAX)
      if (roomless === 0) return undefined
      roomless -= 1
      return { kind: 'error', code: chance(random, 0.5) ? 'ENOSPC' : 'EDQUOT' }
    },
    begin: () => { roomless = 0 },
    closes: () => chance(random, CLOSED_SHARE),
  }
}

/** What is wrong with how it ends; undefined when nothing is. */
const closingProblem = (rig: Rig): string | undefined => {
  rig.wal.send({ type: 'wal.close' })
  const isClosed = rig.clock.runUntil(() => rig.wal.state() === 'closed' || rig.failure() !== undefined, CLOSE_MS_MAX)
  return isClosed && rig.failure() === undefined ? undefined : `closing, it is ${rig.wal.state()}: ${String(rig.failure())}`
}

export interface LivesOptions extends RigOptions {
  readonly withReplicas?: boolean
  /** On a whimsical disk. */
  readonly isWhimsical?: boolean
  /** Told, at each restart, how many records had been acknowledged since the last one. */
  readonly onAcknowledged?: (count: number) => void
}

/** Four lives of one log. Returns the first thing that is wrong; undefined when nothing is. */
export const livesProblem = (
  seed: number, { withReplicas = false, isWhimsical = false, onAcknowledged = () => {}, ...limits }: LivesOptions,
): string | undefined => {
  const random = createRandom(seed)
  const config = randomConfig(random)
  const models = new Map<number, GroupModel>()
  const terms: Terms = new Map()
  let image: DiskImage | undefined
  for (let life = 0; life < LIVES; life += 1) {
    const whims = isWhimsical ? whimsOf(seed * LIVES + life) : undefined
    const rig = createRig({ ...limits, ...whims, config, models, ...(image === undefined ? {} : { image }) }).open()
    whims?.begin()
    for (const { acknowledged } of models.values()) onAcknowledged(acknowledged)
    const problem = restartProblem(rig, models)
    if (problem !== undefined) return `seed ${seed}, life ${life}: ${problem}`
    for (const [group, { base }] of models) {
      // A crash may have undone the replica that began with lower terms.
      terms.set(group, Math.max(terms.get(group) ?? 1, newestTerm(base)))
      nextTerm(terms, group, true)
    }
    randomSteps(random, rig, {
      steps: between(random, 1, 60), terms, withReplicas,
      onStep: () => { if (chance(random, 0.5)) rig.clock.advance(chance(random, 0.1) ? 300 : between(random, 0, 30) / 10) },
    })
    if (rig.failure() !== undefined) return `seed ${seed}, life ${life}: ${String(rig.failure())}`
    const ending = whims?.closes() === true ? closingProblem(rig) : undefined
    if (ending !== undefined) return `seed ${seed}, life ${life}: ${ending}`
    image = rig.disk.crash({ random, keep: between(random, 0, 4) / 4 })
    rig.wal.stop()
  }
  return undefined
}
