/** What a log goes through in its life, one short script each: the torture tests crash and fail them at every call. */

import { entriesOf, entryOf, vote } from './rig.ts'
import type { Rig } from './rig.ts'

export type Scenario = readonly [name: string, run: (rig: Rig) => void]

const filler = (rig: Rig, group: number, range: { readonly from: number; readonly to: number; readonly bytes?: number }): void => {
  for (let index = range.from; index <= range.to; index += 1) {
    rig.append(group, { entries: [entryOf(index, { bytes: range.bytes ?? 1_500 })] })
    rig.clock.advance(2)
  }
}

export const scenarios: readonly Scenario[] = [
  ['append', (rig) => {
    rig.append(1, { hardState: { term: 1, vote: vote('a') }, entries: entriesOf(1, 3) })
    rig.append(2, { hardState: { term: 4, vote: '' } })
    rig.clock.advance(3)
    rig.append(2, { entries: entriesOf(1, 2, { term: 4 }) })
    rig.append(1, { entries: entriesOf(4, 9, { bytes: 700 }) })
    rig.clock.advance(3)
  }],
  ['seal', (rig) => {
    rig.append(1, { entries: entriesOf(1, 2) })
    rig.clock.advance(300)
    rig.append(1, { entries: entriesOf(3, 4) })
    rig.clock.advance(300)
  }],
  ['roll', (rig) => {
    filler(rig, 1, { from: 1, to: 14 })
    filler(rig, 2, { from: 1, to: 4 })
  }],
  ['truncate', (rig) => {
    rig.append(1, { hardState: { term: 1, vote: '' }, entries: entriesOf(1, 8) })
    rig.clock.advance(2)
    rig.append(1, { hardState: { term: 2, vote: vote('b') }, entries: entriesOf(5, 6, { term: 2 }) })
    rig.clock.advance(2)
    rig.append(1, { entries: entriesOf(7, 7, { term: 2 }) })
    rig.clock.advance(2)
  }],
  ['compact', (rig) => {
    rig.append(2, { hardState: { term: 3, vote: vote('c') } })
    filler(rig, 1, { from: 1, to: 30 })
    rig.compact(1, { index: 25, term: 1 })
    filler(rig, 1, { from: 31, to: 40 })
    rig.clock.advance(200)
  }],
  ['copy forward', (rig) => {
    rig.append(7, { hardState: { term: 2, vote: vote('d') }, entries: entriesOf(1, 3, { term: 2 }) })
    for (let round = 0; round < 6; round += 1) {
      filler(rig, 1, { from: round * 8 + 1, to: round * 8 + 8 })
      rig.compact(1, { index: round * 8 + 6, term: 1 })
      rig.clock.advance(5)
    }
    rig.append(7, { entries: entriesOf(3, 4, { term: 3 }) })
    rig.clock.advance(200)
  }],
  ['install snapshot', (rig) => {
    rig.append(1, { hardState: { term: 1, vote: '' }, entries: entriesOf(1, 6) })
    rig.clock.advance(2)
    rig.install(1, { index: 40, term: 3 })
    rig.append(1, { entries: entriesOf(41, 43, { term: 3 }) })
    rig.clock.advance(2)
    rig.install(1, { index: 42, term: 3 })
    rig.append(1, { entries: entriesOf(44, 44, { term: 3 }) })
    rig.clock.advance(2)
  }],
  ['oversized entry', (rig) => {
    rig.append(1, { entries: [entryOf(1), entryOf(2, { bytes: 30_000 }), entryOf(3)] })
    rig.clock.advance(30)
    filler(rig, 1, { from: 4, to: 6 })
  }],
  ['close', (rig) => {
    rig.append(1, { entries: entriesOf(1, 2) })
    rig.wal.send({ type: 'wal.close' })
    rig.clock.advance(100)
  }],
]
