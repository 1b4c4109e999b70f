/** The logs that are damaged: a few that are made by hand, one for each shape a log can have, and as many random ones as are wanted. */

import { createRandom } from '../actors/kernel/random.ts'
import { randomConfig, randomSteps } from './lives.ts'
import { entriesOf, entryOf, vote } from './rig.ts'
import { growSpecimen } from './specimen.ts'
import type { Growth, Specimen } from './specimen.ts'

const RANDOM_PER_PASS = 4
const SMALL = { segmentBytes: 12_288, segmentsWanted: 9 }

/** One segment of small records of every kind, in many commit groups. */
const everyKind = ({ rig, settle }: Growth): void => {
  rig.append(1, { hardState: { term: 1, vote: vote('a') }, entries: entriesOf(1, 3) })
  rig.append(2, { hardState: { term: 5, vote: vote('b') } })
  settle()
  rig.append(2, { entries: [entryOf(1, { term: 5, bytes: 0 }), entryOf(2, { term: 5, bytes: 333 })] })
  settle()
  rig.append(1, { hardState: { term: 2, vote: '' }, entries: entriesOf(2, 6, { term: 2 }) })
  settle()
  rig.compact(1, { index: 2, term: 2 })
  rig.append(2, { hardState: { term: 6, vote: '' } })
  settle()
  rig.install(3, { index: 40, term: 3 })
  rig.append(3, { entries: entriesOf(41, 43, { term: 3 }) })
  settle()
  rig.install(2, { index: 2, term: 5 })
  rig.append(1, { hardState: { term: 4, vote: vote('c') }, entries: entriesOf(7, 8, { term: 4 }) })
  settle()
}

/** Three begun segments and one made ahead. */
const threeSegments = ({ rig, settle }: Growth): void => {
  rig.append(1, { hardState: { term: 1, vote: vote('a') }, entries: entriesOf(1, 3) })
  rig.append(2, { hardState: { term: 5, vote: vote('b') } })
  settle()
  for (let index = 4; index <= 11; index += 1) {
    rig.append(index % 2 + 1, { entries: [entryOf(index % 2 === 0 ? index / 2 + 2 : (index - 3) / 2, { bytes: 1_100 })] })
    settle()
  }
  rig.compact(1, { index: 2, term: 1 })
  rig.append(2, { hardState: { term: 6, vote: '' } })
  settle()
}

/** Segments freed behind it, live records copied forward. */
const copiedForward = ({ rig, settle }: Growth): void => {
  rig.append(7, { hardState: { term: 2, vote: vote('d') }, entries: entriesOf(1, 3, { term: 2 }) })
  for (let round = 0; round < 4; round += 1) {
    for (let index = round * 8 + 1; index <= round * 8 + 8; index += 1) {
      rig.append(1, { entries: [entryOf(index, { bytes: 900 })] })
      settle()
    }
    rig.compact(1, { index: round * 8 + 6, term: 1 })
    settle()
  }
  rig.append(7, { entries: entriesOf(3, 4, { term: 3 }) })
  settle()
}

/** Replicas adopted and retired over four segments, the oldest of which go. */
const replicas = ({ rig, settle }: Growth): void => {
  rig.append(1, { hardState: { term: 1, vote: vote('a') }, entries: entriesOf(1, 3) })
  rig.append(2, { hardState: { term: 5, vote: vote('b') }, entries: entriesOf(1, 2, { term: 5 }) })
  settle()
  rig.retire(1, 1)
  settle()
  rig.adopt(2, 7)
  rig.append(2, { hardState: { term: 6, vote: vote('c') }, entries: entriesOf(1, 2, { term: 6 }) })
  settle()
  rig.append(3, { entries: entriesOf(1, 3, { bytes: 900 }) })
  rig.adopt(1, 9)
  settle()
  rig.install(1, { index: 20, term: 6 })
  rig.append(1, { hardState: { term: 6, vote: '' }, entries: entriesOf(21, 24, { term: 6, bytes: 900 }) })
  settle()
  rig.append(3, { entries: entriesOf(4, 6, { bytes: 900 }) })
  rig.quarantine(3, 'presented less than it promised')
  rig.retire(2, 7)
  settle()
  rig.adopt(3, 11)
  rig.append(3, { hardState: { term: 9, vote: vote('a') }, entries: entriesOf(1, 4, { term: 7, bytes: 700 }) })
  settle()
  rig.append(3, { entries: entriesOf(4, 8, { term: 9, bytes: 700 }) })
  settle()
}

/** The last group is the first of a new segment. */
const rolledTail = ({ rig, settle }: Growth): void => {
  for (let index = 1; index <= 5; index += 1) {
    rig.append(index % 2, { entries: [entryOf(Math.ceil(index / 2), { bytes: 1_300 })] })
    settle()
  }
}

export const fixedSpecimens = (): readonly Specimen[] => [
  growSpecimen({ name: 'every kind, sealed', config: SMALL, isSealed: true }, everyKind),
  growSpecimen({ name: 'every kind, open tail', config: SMALL, isSealed: false }, everyKind),
  growSpecimen({ name: 'three segments, sealed', config: SMALL, isSealed: true }, threeSegments),
  growSpecimen({ name: 'three segments, open tail', config: SMALL, isSealed: false }, threeSegments),
  growSpecimen({ name: 'copied forward', config: { segmentBytes: 12_288, segmentsWanted: 1 }, isSealed: true }, copiedForward),
  growSpecimen({ name: 'replicas, sealed', config: SMALL, isSealed: true }, replicas),
  growSpecimen({ name: 'replicas, copied forward', config: { segmentBytes: 12_288, segmentsWanted: 1 }, isSealed: false }, replicas),
  growSpecimen({ name: 'rolled tail', config: SMALL, isSealed: false }, rolledTail),
]

/** Others for every pass. */
export const randomSpecimens = (seed: number, pass: number): readonly Specimen[] =>
  Array.from({ length: RANDOM_PER_PASS }, (_, at) => {
    const own = seed * 1_000 + pass * RANDOM_PER_PASS + at
    const random = createRandom(own)
    const config = { ...randomConfig(random), segmentBytes: 12_288 + 4_096 * (own % 2) }
    return growSpecimen({ name: `random ${own}`, config, isSealed: true }, ({ rig, settle }) => {
      randomSteps(random, rig, { steps: 12, withReplicas: at % 2 === 1, onStep: settle })
    })
  })
