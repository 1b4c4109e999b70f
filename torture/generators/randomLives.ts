/**
 * Lives of a log that are drawn from the seed (torture/lives.ts), a third of them on a disk that is full half of the time, a seventh on a
 * whimsical one.
 */

import { livesProblem } from '../lives.ts'
import { FULL_DISK_BYTES } from '../rig.ts'
import type { Generator } from '../generator.ts'

const PER_PASS = 1_000
const FULL_DISK_EVERY = 3
/** In every so many lives replicas come and go. */
const REPLICAS_EVERY = 4
/** In so many of five lives one call writes and syncs. */
const SYNCED_OF_FIVE = 2

const WHIMSICAL_EVERY = 7

interface LifePlan {
  readonly seed: number
  readonly isFull: boolean
  readonly withReplicas?: boolean
  readonly hasSyncedWrites?: boolean
  readonly isWhimsical?: boolean
}

/** Seeds that once caught a mistake, run for ever: the first of pass 0. */
export const CORPUS: readonly LifePlan[] = [
  { seed: 254, isFull: false }, { seed: 425, isFull: false }, { seed: 478, isFull: false }, { seed: 825, isFull: false },
  { seed: 1_120, isFull: false }, { seed: 10_263, isFull: true }, { seed: 10_346, isFull: true }, { seed: 10_981, isFull: true },
]

export const randomLives = (seed: number): Generator => ({
  name: 'a random life with crashes', share: 2,
  sizeOf: () => PER_PASS,
  judge: (pass, index) => {
    const drawn = {
      seed: seed * 100_000 + pass * PER_PASS + index, isFull: index % FULL_DISK_EVERY === FULL_DISK_EVERY - 1,
      withReplicas: index % REPLICAS_EVERY === REPLICAS_EVERY - 1, hasSyncedWrites: index % 5 < SYNCED_OF_FIVE,
      isWhimsical: index % WHIMSICAL_EVERY === WHIMSICAL_EVERY - 1,
    }
    const life = (pass === 0 ? CORPUS[index] : undefined) ?? drawn
    const { withReplicas = false, hasSyncedWrites = false, isWhimsical = false } = life
    const kind = `${life.isFull ? 'full disk' : 'roomy disk'}${withReplicas ? ', replicas' : ''}${hasSyncedWrites ? ', one call' : ''}`
      + (isWhimsical ? ', whimsical' : '')
    let acknowledged = 0
    const problem = livesProblem(life.seed, {
      withReplicas, hasSyncedWrites, isWhimsical, onAcknowledged: (count) => { acknowledged += count },
      ...(life.isFull ? { capacityBytes: FULL_DISK_BYTES } : {}),
    })
    return problem === undefined ? { kind, acknowledged } : { kind, acknowledged, problem: `${kind}: ${problem}` }
  },
})
