/**
 * What the mgets, mputs and mdels of one connection have in flight together. A key that finds no room waits, and the next one leaves as
 * soon as one is answered: a long list neither fills the connection's limits nor fails for them, however many lists there are at a time.
 */

import { VALUE_BYTES_MAX } from '../actors/shard/operation.ts'
import { MULTI_OPERATIONS_MAX, MULTI_SHARE } from './limits.ts'
import type { DispatchLimits } from './dispatch.ts'

export interface Gate {
  /** Nothing at all is in flight, or less than may be. */
  readonly hasRoom: () => boolean
  readonly take: (bytes: number) => void
  readonly free: (bytes: number) => void
  /** Called once, in order, when there is room. */
  readonly wait: (waiter: () => void) => void
  /** A list is under way until its `end`, also while none of its keys is in flight. */
  readonly begin: () => void
  readonly end: () => void
  readonly hasLists: () => boolean
}

/** Above any key and value with what goes along with them. */
const ITEM_BYTES_MAX = VALUE_BYTES_MAX + 2_048

/** `onEnd` is called when a list has ended. */
export const createGate = (limits: DispatchLimits, onEnd: () => void): Gate => {
  const operationsMax = Math.min(MULTI_OPERATIONS_MAX, limits.operationsMax * MULTI_SHARE)
  // The key that passes the share still has to find room in the limit itself.
  const bytesMax = Math.min(limits.bytesMax * MULTI_SHARE, limits.bytesMax - ITEM_BYTES_MAX)
  let operations = 0
  let bytes = 0
  let lists = 0
  const waiters: (() => void)[] = []
  const hasRoom = (): boolean => operations === 0 || (operations + 1 <= operationsMax && bytes <= bytesMax)
  return {
    hasRoom,
    take: (taken) => {
      operations += 1
      bytes += taken
    },
    free: (freed) => {
      operations -= 1
      bytes -= freed
      while (waiters.length > 0 && hasRoom()) waiters.shift()?.()
    },
    wait: (waiter) => { waiters.push(waiter) },
    begin: () => { lists += 1 },
    end: () => {
      lists -= 1
      onEnd()
    },
    hasLists: () => lists > 0,
  }
}
