/**
 * How far the heap of a node may grow between two major collections.
 *
 * To a process that allocates slowly V8 gives little: a tenth of what lives, once its memory reducer has run, since collecting then
 * takes a small share of the time. A node with 80 MB that serves 2,000 operations a second gets there every ten seconds, and on busy
 * cores each collection keeps it from answering for 0.2 to 0.4 s: that decided how long clients wait while replicas move
 * (docs/PERFORMANCE.md). So a small heap may grow by ROOM_BYTES at any pace, as V8 lets one that allocates fast. A large one is left to
 * V8: there it would cost more memory than it is worth.
 *
 * Source: V8, heap/memory-controller.cc (`GrowingFactor`), flag `--heap-growing-percent`.
 */

import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { watchMajorCollections } from '../observe/majorCollections.ts'

const MIB = 1_048_576
const SMALL_HEAP_BYTES = 128 * MIB
const ROOM_BYTES = 160 * MIB
/** As far as V8 goes by itself. */
const PERCENT_MAX = 300
/** As V8 thinks best. */
const LEFT_TO_V8 = 0

/** Percent of what lives that may come on top of it, of a heap with so many bytes. */
export const growingPercent = (usedBytes: number): number =>
  (usedBytes < SMALL_HEAP_BYTES ? Math.min(PERCENT_MAX, Math.round(ROOM_BYTES / usedBytes * 100)) : LEFT_TO_V8)

/** Of this process, from now on; ends with the result. It is looked at after each major collection, and wakes nobody. */
export const keepHeapRoom = (): (() => void) => {
  let percent = LEFT_TO_V8
  const review = (): void => {
    const wanted = growingPercent(getHeapStatistics().used_heap_size)
    if (wanted === percent) return
    percent = wanted
    setFlagsFromString(`--heap-growing-percent=${wanted}`)
  }
  const leave = watchMajorCollections(review)
  review()
  return leave
}
