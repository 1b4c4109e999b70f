/** What the batch door says when it can not do what was asked. All of it is definite: nothing was done. */

import type { OperationResult } from '../actors/shard/operation.ts'

const RETRY_AFTER_MS = 100
/** Whatever is refused comes again, with its value, and a disk that is behind is so for a while. */
const BEHIND_RETRY_AFTER_MS = 500

const overloaded = (message: string, retryAfterMs = RETRY_AFTER_MS): OperationResult =>
  ({ status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs, message })

export const invalid = (message: string): OperationResult => ({ status: 'INVALID', revision: 0, definite: true, message })

export const sessionExpired: OperationResult = {
  status: 'SESSION_EXPIRED', revision: 0, definite: true, message: 'This node does not know the session: say hello again.',
}
export const leavingNode = overloaded('The node is leaving: fetch the map and ask another.')
export const tooManySessions = overloaded('The node has as many sessions as it can hold: try again later, or say bye to old ones.')
export const tooManyPending = (retryAfterMs: number): OperationResult =>
  overloaded('The node has as many operations as it can hold: slow down.', retryAfterMs)

export const tooManyValues: OperationResult = {
  status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 0,
  message: 'The values asked for together exceed one answer: ask for fewer at a time.',
}

export const logIsBehind = overloaded('The disk of the node has more writes waiting than it should: slow down.', BEHIND_RETRY_AFTER_MS)

/** For a read alone: its value would be dropped. */
export const noRoomYet =
  overloaded('The broker has not taken yet what this node has answered: slow down, or ask for fewer large values at a time.')

export const valueTooLarge = (bytes: number, bytesMax: number): OperationResult => ({
  status: 'TOO_LARGE', revision: 0, definite: true,
  message: `The value has ${bytes} bytes, and this broker's max_payload allows ${bytesMax}: raise it to read the value.`,
})
