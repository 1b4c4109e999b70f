/**
 * The checks that need no state: every receiver refuses the same operations in the same words, so such a refusal is certain and may be
 * given by anybody, on any policy (docs/SUBJECTS.md, "Who answers"). But for what fits an entry: that follows from the broker's payload as
 * it was when the process started, so by a slot it says nothing of a successor that started later. Connections check first, so that a bad
 * request never shares a batch with good ones; the shard checks again, since a peer's connection may be of another version.
 */

import { encodedOperationBytes } from './batch.ts'
import { decimalOf } from './counter.ts'
import { KEY_BYTES_MAX, OpCode, REQUEST_ID_BYTES_MAX, TTL_MS_MAX, VALUE_BYTES_MAX, isRead } from './operation.ts'
import type { Operation, OperationResult, StatusName } from './operation.ts'
import type { Policy } from './protocol.ts'

const clientPattern = /^[0-9a-f]{16}$/
/** One byte a character. */
const isBinary = (text: string): boolean => !/[\u0100-\uffff]/.test(text)

/** The refusal, or null when the operation is well-formed and fits an entry of `operationBytesMax` bytes. */
export const checkOperation = (operation: Operation, operationBytesMax: number, policy: Policy): OperationResult | null =>
  checkKey(operation) ?? checkNumbers(operation) ?? checkIdentity(operation) ?? checkValue(operation)
  ?? checkWeight(operation, operationBytesMax, policy)

const refuse = (status: StatusName, message: string): OperationResult => ({ status, revision: 0, definite: true, message })
const invalid = (message: string): OperationResult => refuse('INVALID', message)

const isSessionOperation = ({ code }: Operation): boolean => code === OpCode.openSession || code === OpCode.closeSession

const checkKey = (operation: Operation): OperationResult | null => {
  const { key } = operation
  if (isSessionOperation(operation)) return key === '' ? null : invalid('A session operation takes no key.')
  if (key === '') return invalid('The key is empty: give it at least one byte.')
  if (key.length > KEY_BYTES_MAX) return refuse('TOO_LARGE', `The key has ${key.length} bytes: the limit is ${KEY_BYTES_MAX}.`)
  return isBinary(key) ? null : invalid('The key is not a binary string: encode it as bytes first.')
}

const isCount = (n: number | undefined, max: number): boolean => n === undefined || (Number.isSafeInteger(n) && n >= 0 && n <= max)

const checkNumbers = ({ code, ifRevision, ttlMs }: Operation): OperationResult | null => {
  if (!isCount(ifRevision, Number.MAX_SAFE_INTEGER)) return invalid('If-Revision is a whole number from 0.')
  if (!isCount(ttlMs, TTL_MS_MAX)) return invalid(`The time to live is 0 to ${TTL_MS_MAX} ms.`)
  if (code === OpCode.touch && ttlMs === undefined) return invalid('touch needs a time to live; 0 clears it.')
  if (isRead(code) && ifRevision !== undefined) return invalid('A read takes no If-Revision: compare the revision it returns.')
  if (ttlMs !== undefined && code !== OpCode.put && code !== OpCode.touch && code !== OpCode.incr) {
    return invalid('Only put, incr and touch take a time to live.')
  }
  return null
}

const checkIdentity = (operation: Operation): OperationResult | null => {
  const { session, requestId } = operation
  if (requestId !== undefined) {
    if (session !== undefined) return invalid('A request has a request id or a session, not both.')
    const isShort = requestId.length >= 1 && requestId.length <= REQUEST_ID_BYTES_MAX
    // A colon separates an SDK session from its sequence.
    if (!isShort || !isBinary(requestId) || requestId.includes(':')) {
      return invalid(`A request id is 1 to ${REQUEST_ID_BYTES_MAX} bytes without a colon.`)
    }
  }
  if (session === undefined) return isSessionOperation(operation) ? invalid('A session operation names its session.') : null
  if (!clientPattern.test(session.client)) return invalid('A session is named by 16 lower-case hex digits.')
  const { sequence, firstIncomplete } = session
  const isWhole = Number.isSafeInteger(sequence) && Number.isSafeInteger(firstIncomplete)
  const isOrdered = isWhole && firstIncomplete >= 1 && sequence >= firstIncomplete
  return isOrdered ? null : invalid('A sequence is at least its first-incomplete mark, which is at least 1.')
}

const checkValue = ({ code, value }: Operation): OperationResult | null => {
  if (value !== undefined) {
    if (code !== OpCode.put && code !== OpCode.incr) return invalid('Only put and incr take a value.')
    if (value.length > VALUE_BYTES_MAX) return refuse('TOO_LARGE', `The value has ${value.length} bytes: the limit is ${VALUE_BYTES_MAX}.`)
    if (code === OpCode.incr && decimalOf(value) === null) return invalid('incr adds a signed 64-bit decimal such as 1 or -20.')
  } else if (code === OpCode.put) return invalid('put needs a value; it may be empty.')
  return null
}

const checkWeight = (operation: Operation, operationBytesMax: number, policy: Policy): OperationResult | null => {
  if (encodedOperationBytes(operation) <= operationBytesMax) return null
  const message = `The operation does not fit an entry: the limit is ${operationBytesMax} bytes.`
  return { status: 'TOO_LARGE', revision: 0, definite: policy !== 'slot', message }
}
