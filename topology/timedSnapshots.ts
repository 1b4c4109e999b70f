/** A snapshot store that tells how long each snapshot took to be written, and how large it became. */

import type { Clock } from '../actors/kernel/clock.ts'
import type { SnapshotStore } from '../storage/snapshotStore.ts'

export interface SnapshotInstruments {
  readonly written: (bytes: number, tookMs: number) => void
  readonly failed: () => void
  /** One came from a leader and verified. */
  readonly received: (bytes: number) => void
  /** One came from a leader, and could not be used. */
  readonly refused: (reason: SnapshotRefusal) => void
}

export const snapshotRefusals = ['damaged', 'newer', 'failed'] as const
export type SnapshotRefusal = (typeof snapshotRefusals)[number]

export const timedSnapshots = (store: SnapshotStore, clock: Clock, instruments: SnapshotInstruments | undefined): SnapshotStore => {
  if (instruments === undefined) return store
  return {
    ...store,
    write: (header, chunks, done) => {
      const beganAt = clock.now()
      return store.write(header, chunks, (error, info) => {
        if (error === null) instruments.written(info.totalBytes, clock.now() - beganAt)
        else instruments.failed()
        done(error, info)
      })
    },
    finishReceive: (group, index, term, totalBytes, done) => {
      store.finishReceive(group, index, term, totalBytes, (error, info) => {
        if (error === null) instruments.received(info.totalBytes)
        else instruments.refused(refusalOf(error.code))
        done(error, info)
      })
    },
  }
}

const refusalOf = (code: string | undefined): SnapshotRefusal => {
  if (code === 'EDAMAGED') return 'damaged'
  return code === 'ENEWER' ? 'newer' : 'failed'
}
