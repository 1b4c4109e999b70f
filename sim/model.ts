/**
 * The specification of one shard in a page: a plain map, a revision counter, and a table of request ids. The
 * product's state machine is compared with it after every committed entry, so it shares nothing with it but the
 * batch codec.
 *
 * It covers what clients send: get, put, compare-and-set, incr, del, plain request ids, exactly-once sessions. What passes with time (the
 * expiry of keys, the end of idle sessions) is left out.
 */

import { decodeBatch } from '../actors/shard/batch.ts'
import { OpCode } from '../actors/shard/operation.ts'
import type { Operation, SessionRequest } from '../actors/shard/operation.ts'

export interface ModelResult {
  readonly status: 'OK' | 'NOT_FOUND' | 'CONFLICT' | 'INVALID'
  readonly revision: number
  readonly value?: string
}

export interface ModelStep {
  readonly operation: Operation
  readonly value: string | undefined
  readonly result: ModelResult
  /** The request id had been seen: nothing was executed. */
  readonly isDuplicate: boolean
}

export interface ModelRecord {
  readonly value: string
  readonly revision: number
}

export interface Model {
  /** Applies one batch payload, telling of each step right after it; false when the payload does not decode. */
  readonly apply: (payload: Uint8Array, onStep: (step: ModelStep) => void) => boolean
  readonly read: (key: string) => ModelRecord | undefined
  readonly revision: () => number
  readonly keys: () => number
}

const decoder = new TextDecoder()
const done: ModelResult = { status: 'OK', revision: 0 }
const refused: ModelResult = { status: 'INVALID', revision: 0 }

export const createModel = (): Model => {
  const records = new Map<string, ModelRecord>()
  const requests = new Map<string, ModelResult>()
  /** Every result of every session, for ever; those that were closed stay as null. */
  const sessions = new Map<string, Map<number, ModelResult> | null>()
  let revision = 0

  const write = (key: string, value: string): ModelResult => {
    revision += 1
    records.set(key, { value, revision })
    return { status: 'OK', revision }
  }
  const execute = (operation: Operation, value: string | undefined): ModelResult => {
    const found = records.get(operation.key)
    const current = found?.revision ?? 0
    if (operation.ifRevision !== undefined && operation.ifRevision !== current) return { status: 'CONFLICT', revision: current }
    if (operation.code === OpCode.put) return write(operation.key, value ?? '')
    if (operation.code === OpCode.incr) {
      const before = found?.value ?? '0'
      if (!/^-?\d+$/.test(before)) return { status: 'INVALID', revision: 0 }
      const sum = String(Number(before) + Number(value ?? '1'))
      return { ...write(operation.key, sum), value: sum }
    }
    if (operation.code === OpCode.del) {
      if (found === undefined) return { status: 'NOT_FOUND', revision: 0 }
      records.delete(operation.key)
      revision += 1
      return { status: 'OK', revision }
    }
    return { status: 'INVALID', revision: 0 }
  }
  const stepOf = (operation: Operation): ModelStep => {
    const value = operation.value === undefined ? undefined : decoder.decode(operation.value)
    const { requestId, session } = operation
    if (session !== undefined) return { operation, value, ...stepInSession(operation, value, session) }
    const known = requestId === undefined ? undefined : requests.get(requestId)
    if (known !== undefined) return { operation, value, result: known, isDuplicate: true }
    const result = execute(operation, value)
    if (requestId !== undefined) requests.set(requestId, result)
    return { operation, value, result, isDuplicate: false }
  }

  const stepInSession = (
    operation: Operation, value: string | undefined, { client, sequence }: SessionRequest,
  ): Pick<ModelStep, 'result' | 'isDuplicate'> => {
    const results = sessions.get(client)
    if (operation.code === OpCode.openSession) {
      if (results === undefined) sessions.set(client, new Map())
      return { result: done, isDuplicate: true }
    }
    if (operation.code === OpCode.closeSession) {
      sessions.set(client, null)
      return { result: done, isDuplicate: true }
    }
    if (results === undefined || results === null) return { result: refused, isDuplicate: true }
    const first = results.get(sequence)
    if (first !== undefined) return { result: first, isDuplicate: true }
    const result = execute(operation, value)
    results.set(sequence, result)
    return { result, isDuplicate: false }
  }

  return {
    apply: (payload, onStep) => {
      const decoded = decodeBatch(payload)
      if ('reason' in decoded) return false
      for (const operation of decoded.value.operations) onStep(stepOf(operation))
      return true
    },
    read: (key) => records.get(key),
    revision: () => revision,
    keys: () => records.size,
  }
}
