/**
 * Plain records checked field by field: what JSON.parse returns is `unknown` until every name and value of it is known to be right.
 *
 * A shape is a record of checks, in the order in which the fields are written. `read` answers with a new object in that order, or
 * undefined; a field too many is as wrong as one too few, since whoever wrote it meant something by it.
 */

import { isNodeId } from '../../topology/ids.ts'
import type { NodeId, ReplicaId } from '../../topology/ids.ts'

/** The value, with its fields in order, or undefined when it is not of this kind. */
export type Check<T> = (value: unknown) => T | undefined
export type Shape<T> = { readonly [Name in keyof T]: Check<T[Name]> }

export const record = <T extends object>(shape: Shape<T>): Check<T> => {
  const names = Object.keys(shape) as (keyof T & string)[]
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    if (Object.keys(value).length !== names.length) return undefined
    const read: Partial<T> = {}
    for (const name of names) {
      const field = shape[name]((value as Record<string, unknown>)[name])
      if (field === undefined) return undefined
      read[name] = field
    }
    return read as T
  }
}

export const list = <T>(check: Check<T>, lengthMax: number): Check<readonly T[]> => (value) => {
  if (!Array.isArray(value) || value.length > lengthMax) return undefined
  const read: T[] = []
  for (const item of value) {
    const one = check(item)
    if (one === undefined) return undefined
    read.push(one)
  }
  return read
}

export const orNull = <T>(check: Check<T>): Check<T | null> => (value) => (value === null ? null : check(value))

export const count: Check<number> = (value) =>
  (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined)

export const flag: Check<boolean> = (value) => (typeof value === 'boolean' ? value : undefined)

/** Printable: no control characters and no halves of surrogate pairs. */
export const text = (charactersMax: number): Check<string> => (value) =>
  (typeof value === 'string' && value.length <= charactersMax && !/[\p{Cc}\p{Cs}]/u.test(value) ? value : undefined)

export const oneOf = <T extends string>(...values: readonly T[]): Check<T> => (value) => values.find((known) => known === value)

export const node: Check<NodeId> = (value) => (typeof value === 'string' && isNodeId(value) ? value : undefined)

export const replica: Check<ReplicaId> = (value) => {
  if (typeof value !== 'string') return undefined
  const colon = value.indexOf(':')
  const isOne = colon > 0 && isNodeId(value.slice(0, colon)) && /^[1-9][0-9]{0,15}$/.test(value.slice(colon + 1))
    && Number.isSafeInteger(Number(value.slice(colon + 1)))
  return isOne ? value as ReplicaId : undefined
}
