/**
 * The specification of one shard in a page: a plain map, a revision counter, and a table of request ids. The
 * product's state machine is compared with it after every committed entry, so it shares nothing with it but the
 * batch codec.
 *
 * It covers what the workload sends: get, put, compare-and-set, incr, del, plain request ids. Sessions and
 * expiry are left out.
 */

import { decodeBatch } from '../actors/shard/batch.ts'
import { OpCode } from '../actors/shard/operation.ts'
import type { Operation } from '../actors/shard/operation.ts'

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

export const createModel = (): Model => {
  const records = new Map<string, ModelRecord>()
  const requests = new Map<string, ModelResult>()
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
    const { requestId } = operation
    const known = requestId === undefined ? undefined : requests.get(requestId)
    if (known !== undefined) return { operation, value, result: known, isDuplicate: true }
    const result = execute(operation, value)
    if (requestId !== undefined) requests.set(requestId, result)
    return { operation, value, result, isDuplicate: false }
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
