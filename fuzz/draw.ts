/** Values to begin with: numbers at their ends, short and empty bytes, operations and results with every optional field. */

import { between, chance, pick } from '../actors/kernel/random.ts'
import { BATCH_OPERATIONS_MAX, OpCode, Status } from '../actors/shard/operation.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Operation, OperationResult, SessionRequest, StatusName } from '../actors/shard/operation.ts'

const ENDS = [0, 1, 2, 255, 256, 65_535, 0xffff_ffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER] as const

export const drawWhole = (random: Random): number => (chance(random, 0.3) ? one(random, ENDS) : between(random, 0, 5_000))
export const drawU32 = (random: Random): number => drawWhole(random) % 0x1_0000_0000

/** One of a list that is not empty. */
export const one = <T>(random: Random, items: readonly T[]): T => pick(random, items) as T

export const drawBytes = (random: Random, max: number): Uint8Array => {
  const bytes = new Uint8Array(chance(random, 0.1) ? 0 : between(random, 0, max))
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = random.uint32() & 0xff
  return bytes
}

export const drawText = (random: Random, max: number): string => Buffer.from(drawBytes(random, max)).toString('latin1')

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789-'
export const drawWord = (random: Random, max: number): string =>
  Array.from({ length: between(random, 1, max) }, () => LETTERS[between(random, 0, 25)] ?? 'a').join('')

export const drawList = <T>(random: Random, max: number, draw: (random: Random) => T): readonly T[] =>
  Array.from({ length: between(random, 0, max) }, () => draw(random))

export const drawHex = (random: Random, digits: number): string =>
  Array.from({ length: digits }, () => between(random, 0, 15).toString(16)).join('')

export const drawSession = (random: Random): SessionRequest =>
  ({ client: drawHex(random, 16), sequence: drawWhole(random), firstIncomplete: drawWhole(random) })

const optional = <Name extends string, T>(random: Random, name: Name, draw: () => T): Partial<Record<Name, T>> =>
  (chance(random, 0.4) ? { [name]: draw() } as Partial<Record<Name, T>> : {})

export const drawOperation = (random: Random, codes: readonly OpCode[] = Object.values(OpCode)): Operation => ({
  code: one(random, codes),
  key: drawText(random, 20),
  ...optional(random, 'value', () => drawBytes(random, 60)),
  ...optional(random, 'ifRevision', () => drawWhole(random)),
  ...optional(random, 'ttlMs', () => drawWhole(random)),
  ...optional(random, 'session', () => drawSession(random)),
  ...optional(random, 'requestId', () => `id${drawText(random, 30)}`),
})

export const drawResult = (random: Random): OperationResult => ({
  status: one(random, Object.keys(Status) as StatusName[]),
  revision: drawWhole(random),
  ...optional(random, 'value', () => drawBytes(random, 60)),
  ...optional(random, 'message', () => one(random, ['', 'no', 'Überlauf: noch einmal', '🙂'])),
  ...optional(random, 'definite', () => chance(random, 0.5)),
  ...optional(random, 'retryAfterMs', () => drawWhole(random)),
  ...(chance(random, 0.2) ? { duplicate: true } : {}),
})

export const drawPosition = (random: Random): number => between(random, 0, BATCH_OPERATIONS_MAX - 1)
