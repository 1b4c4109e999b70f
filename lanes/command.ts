/** The flags that lanes share, and the seed that CI gives them. */

import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { UsageError } from './usage.ts'

export interface LaneFlags {
  readonly seed: number
  readonly workers: number
  readonly budgetSeconds: number | undefined
  /** Whole numbers by name, as far as they were given. */
  readonly counts: ReadonlyMap<string, number>
  readonly texts: ReadonlyMap<string, string>
}

/** The names of the flags that only one lane has: whole numbers, and texts. */
export interface OwnFlags { readonly counts: readonly string[]; readonly texts: readonly string[] }

/** What the process around a lane knows. */
export interface LaneWorld {
  readonly commit: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

const SEED_DEFAULT = 1
const SHARED = ['seed', 'workers', 'budget-seconds']

/** Throws a UsageError or Node's own error with what is wrong. */
export const laneFlags = (args: readonly string[], world: LaneWorld, own: OwnFlags): LaneFlags => {
  const names = [...SHARED, ...own.counts, ...own.texts]
  const { values } = parseArgs({
    args: [...args], options: Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
  })
  const numbers = new Map<string, number>()
  const texts = new Map<string, string>()
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== 'string') continue
    if (own.texts.includes(name)) texts.set(name, value)
    else numbers.set(name, wholeNumber(name, value))
  }
  return {
    seed: numbers.get('seed') ?? wholeNumber('seed', world.environment['SHARDKV_SEED'] ?? String(SEED_DEFAULT)),
    workers: numbers.get('workers') ?? availableParallelism(), budgetSeconds: numbers.get('budget-seconds'), counts: numbers, texts,
  }
}

const wholeNumber = (name: string, text: string): number => {
  if (!/^(?:0|[1-9][0-9]{0,14})$/.test(text)) throw new UsageError(`--${name} is a whole number, not "${text}"`)
  return Number(text)
}

export const figuresDirectory = ({ environment }: LaneWorld): string => environment['SHARDKV_FIGURES'] ?? '.figures'
