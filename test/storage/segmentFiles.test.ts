/** Segments made ahead: whatever has a segment's name has its whole size, on the platter, also where the size had to change. */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { segmentName } from '../../storage/segment.ts'
import { createSegmentFiles, prepareSegment, segmentFile, spareBytes } from '../../storage/segmentFiles.ts'
import { createVirtualClock } from '../../torture/virtualClock.ts'
import type { FileError } from '../../storage/fileSystem.ts'
import type { DiskCall, DiskFault, MemoryFileSystem } from '../../storage/memoryFileSystem.ts'

const SMALL = 12_288
const BIG = 40_960
const PATH = `wal/${segmentName(1)}`

interface Stage {
  readonly disk: MemoryFileSystem
  /** Null: made, and its name is durable. Undefined: no answer. */
  readonly prepare: (sizeBytes: number) => FileError | null | undefined
  readonly sizeOpen: () => number | undefined
}

const createStage = (fault: (call: DiskCall) => DiskFault | undefined = () => undefined, capacityBytes = 1_000_000): Stage => {
  const clock = createVirtualClock()
  const disk = createMemoryFileSystem({ schedule: (fn) => clock.defer(fn), fault, capacityBytes })
  const segments = createSegmentFiles(disk, 'wal')
  disk.makeDirectory('wal', () => {})
  return {
    disk,
    prepare: (sizeBytes) => {
      let answer: FileError | null | undefined
      prepareSegment(segments, { segment: 1, sizeBytes }, (error) => { answer = error })
      clock.runUntil(() => answer !== undefined, 100)
      return answer
    },
    sizeOpen: () => {
      let size: number | undefined
      segmentFile(segments, 1).size((_, found) => { size = found })
      clock.runUntil(() => size !== undefined, 100)
      return size
    },
  }
}

const sizeOn = (files: ReadonlyMap<string, Uint8Array>): number | undefined => files.get(PATH)?.length

describe('a segment made ahead', () => {
  test('that is big enough is used as it is', () => {
    const stage = createStage()
    expect([stage.prepare(SMALL), stage.prepare(SMALL)]).toEqual([null, null])
    expect([sizeOn(stage.disk.image().files), stage.sizeOpen()]).toEqual([SMALL, SMALL])
  })

  test('that is too small for the next record is made anew, and nothing of the other is left', () => {
    const stage = createStage()
    expect([stage.prepare(SMALL), stage.prepare(BIG), stage.sizeOpen()]).toEqual([null, null, BIG])
    const { files } = stage.disk.crash({ random: createRandom(1), keep: 0 })
    expect([[...files.keys()], sizeOn(files)]).toEqual([[PATH], BIG])
  })

  /**
   * Story: 1. A segment that has its name is extended in place, and the sync fails: the process ends. 2. The next finds it all zeros, with
   * the bigger size, in the cache alone, and writes a header that states the bigger size. 3. After a power loss the file is
   * shorter than its header says, which is damage of the node.
   */
  test('never has its name and a size that was not synced', () => {
    let syncs = 0
    const stage = createStage(({ operation }) => {
      if (operation !== 'datasync') return undefined
      syncs += 1
      return syncs === 2 ? { kind: 'error', code: 'EIO' } : undefined
    })
    expect([stage.prepare(SMALL), stage.prepare(BIG)?.code]).toEqual([null, 'EIO'])
    expect(sizeOn(stage.disk.image().files)).not.toBe(BIG)
  })

  test('is there whole or not at all, whichever call a power loss follows', () => {
    for (let last = 1; last < 30; last += 1) {
      for (const keep of [0, 0.5, 1]) {
        let calls = 0
        const stage = createStage(() => {
          calls += 1
          return calls > last ? { kind: 'hang' } : undefined
        })
        const made = [stage.prepare(SMALL), stage.prepare(BIG)]
        const found = sizeOn(stage.disk.crash({ random: createRandom(last), keep }).files)
        expect(made[1] === null ? [BIG] : [undefined, SMALL, BIG]).toContain(found)
      }
    }
  })

  test('waits under its temporary name for a full disk, which needs no room for both', () => {
    const stage = createStage(undefined, BIG)
    expect([stage.prepare(SMALL), stage.prepare(BIG)?.code]).toEqual([null, 'ENOSPC'])
    stage.disk.setCapacity(BIG + spareBytes(BIG))
    expect([stage.prepare(BIG), stage.sizeOpen(), stage.disk.usedBytes()]).toEqual([null, BIG, BIG])
  })

  /**
   * Story: 1. The next segment is filled with zeros until the disk is full, and is kept open. 2. A newer cluster map comes, and there is no
   * byte for its file: what has moved away stays, and the disk stays full, for ever.
   */
  test('leaves a spare of the disk, also while it waits for room', () => {
    const stage = createStage(undefined, BIG + spareBytes(BIG) - 1)
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(stage.prepare(BIG)?.code).toBe('ENOSPC')
      expect(stage.disk.usedBytes()).toBe(0)
    }
    stage.disk.setCapacity(BIG + spareBytes(BIG))
    expect([stage.prepare(BIG), stage.disk.usedBytes()]).toEqual([null, BIG])
  })

  test('gives a spare back where the disk said that there is more than it has', () => {
    let writes = 0
    const stage = createStage(({ operation }) => {
      if (operation === 'freeBytes') return { kind: 'error', code: 'ENOSYS' }
      if (operation === 'writev') writes += 1
      return undefined
    }, BIG - 4_096)
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      expect([stage.prepare(BIG)?.code, stage.disk.usedBytes()]).toEqual(['ENOSPC', BIG - 4_096 - spareBytes(BIG)])
      expect(writes).toBe(2 * attempt)
    }
    stage.disk.setCapacity(BIG)
    expect([stage.prepare(BIG), stage.sizeOpen()]).toEqual([null, BIG])
    expect(sizeOn(stage.disk.crash({ random: createRandom(1), keep: 0 }).files)).toBe(BIG)
  })
})
