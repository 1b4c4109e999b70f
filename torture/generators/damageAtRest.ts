/**
 * Damage that comes to a segment at rest while its log lives on: a bit of one that was left long ago flips between two reads of it. The log
 * goes on until segments have been freed, the power goes, and the next start must find each group whole, or report it damaged: what was
 * freed meanwhile must not have taken the damage, and what it hit, along in silence.
 */

import { between, createRandom } from '../../actors/kernel/random.ts'
import { endOfData } from '../../storage/bytes.ts'
import { decodeSegmentHeader } from '../../storage/segment.ts'
import { emptyState, matchingPrefix } from '../model.ts'
import { randomConfig, randomSteps } from '../lives.ts'
import { createRig } from '../rig.ts'
import { segmentsOf } from '../specimen.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { RecoveryReport } from '../../actors/wal/protocol.ts'
import type { Generator, Verdict } from '../generator.ts'
import type { Rig } from '../rig.ts'

const PER_PASS = 1_000
/** So that a log soon has more than one. */
const SMALLEST_BYTES = 12_288
const STEPS_BEFORE = 40
const STEPS_AFTER = 60
/** In which what a step submits is on disk, and what it frees is copied and removed. */
const STEP_MS = 4
const SEED_STEP = 100_003

/** Flips a bit of a segment that has a successor: all of it is proven synced. False when there is none. */
const damage = (random: Random, { disk }: Rig): boolean => {
  const begun = segmentsOf(disk.image()).filter(({ bytes }) => decodeSegmentHeader(bytes) !== undefined)
  const cold = begun[between(random, 0, begun.length - 2)]
  if (begun.length < 2 || cold === undefined) return false
  const at = between(random, 0, endOfData(cold.bytes, 0) - 1)
  disk.corrupt(cold.path, (bytes) => { bytes[at] = (bytes[at] ?? 0) ^ (1 << between(random, 0, 7)) })
  return true
}

/** What of the models is lost without a word. */
const lostIn = ({ models }: Rig, { groups, damagedNode }: RecoveryReport): string | undefined => {
  for (const [group, model] of models) {
    const { hardState, mark, entries } = emptyState
    const found = groups.get(group) ?? { group, hardState, snapshot: mark, entries }
    if (found.quarantined !== undefined || (damagedNode !== undefined && !groups.has(group))) continue
    if (matchingPrefix(model, found) === undefined) {
      return `SILENT LOSS: group ${group} is no prefix of its steps that covers the ${model.acknowledged} acknowledged`
    }
  }
  return undefined
}

const kindOf = ({ damagedNode, groups, findings }: RecoveryReport): string => {
  if (damagedNode !== undefined) return 'node damaged'
  if ([...groups.values()].some(({ quarantined }) => quarantined !== undefined)) return 'one group damaged'
  return findings.length > 0 ? 'made up for' : 'gone with its segment'
}

const judge = (seed: number): Verdict => {
  const random = createRandom(seed)
  const rig = createRig({ config: { ...randomConfig(random), segmentBytes: SMALLEST_BYTES } }).open()
  const terms = new Map<number, number>()
  const options = { terms, onStep: () => rig.clock.advance(STEP_MS) }
  randomSteps(random, rig, { ...options, steps: STEPS_BEFORE })
  if (!damage(random, rig)) return { kind: 'nothing at rest' }
  randomSteps(random, rig, { ...options, steps: STEPS_AFTER })
  if (rig.failure() !== undefined) return { kind: 'thrown', problem: `the log throws: ${String(rig.failure())}` }
  const halts = rig.wal.state() === 'halted'
  const image = rig.disk.crash({ random, keep: between(random, 0, 2) / 2 })
  rig.wal.stop()
  const report = createRig({ image }).open().report()
  if (report === undefined) return { kind: 'refused', problem: 'the next start finds nothing' }
  const kind = `${halts ? 'halts, ' : ''}${kindOf(report)}`
  const problem = lostIn(rig, report)
  return problem === undefined ? { kind } : { kind, problem }
}

export const damageAtRest = (seed: number): Generator => ({
  name: 'a bit flipped at rest while the log lives', share: 2,
  sizeOf: () => PER_PASS,
  judge: (pass, index) => judge(seed * SEED_STEP + pass * PER_PASS + index),
})
