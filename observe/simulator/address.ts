/**
 * A simulated run as an address of the Observatory: everything that decides it, so that whoever opens it sees the same run to the byte.
 *
 *   #/simulator?seed=7&nodes=3&shards=2&loss=0.05&delay=5&do=1200.kill.n1_4000.start.n1&to=9000&digest=0123456789abcdef
 *   #/simulator?seed=42&faults=drawn&commit=589e496&digest=...      what "npm run sim -- --seed 42" runs
 *
 * `to` is the virtual time at which somebody looked, `digest` what the trace's hash was then: whoever replays it can tell that it is the
 * same. `do` is what was done by hand: virtual milliseconds, what, to whom.
 */

export const deeds = ['kill', 'start', 'pause', 'resume', 'cut', 'heal', 'join', 'drain'] as const
export type Deed = (typeof deeds)[number]

export interface Command {
  /** Virtual milliseconds, whole. */
  readonly at: number
  readonly deed: Deed
  readonly node: string
}

interface Looked {
  readonly seed: number
  /** Virtual milliseconds; null: nobody has said how far. */
  readonly to: number | null
  readonly digest: string | null
}

/** Nothing goes wrong by itself but what the network loses; the rest is done by hand. */
export interface RunByHand extends Looked {
  readonly faults: 'byHand'
  readonly nodes: number
  readonly shards: number
  /** Share of messages between nodes that are lost. */
  readonly loss: number
  /** Mean, in milliseconds. */
  readonly delayMs: number
  readonly commands: readonly Command[]
}

/** A seed of `npm run sim`, with what its flags put in the place of what is drawn. */
export interface DrawnRun extends Looked {
  readonly faults: 'drawn'
  readonly nodes: number | null
  readonly shards: number | null
  readonly minutes: number | null
  /** Of the code in which somebody saw it: other code may draw another run from the seed. */
  readonly commit: string | null
}

export type SimulatedRun = RunByHand | DrawnRun

export const NODES: readonly number[] = [3, 4, 5, 6, 7]
export const SHARDS: readonly number[] = [1, 2, 3, 4]
export const LOSS_MAX = 0.3
export const DELAY_MS_MAX = 200
/** Of a run by hand, in virtual milliseconds. */
export const RUN_MS_MAX = 600_000
export const COMMANDS_MAX = 200
const MINUTES_MAX = 60

export const defaultRun: RunByHand = {
  faults: 'byHand', seed: 1, nodes: 3, shards: 2, loss: 0, delayMs: 5, commands: [], to: null, digest: null,
}

type Query = Readonly<Record<string, string>>

/** Throws nothing: what is wrong with an address is said in words. */
export const runOf = (query: Query): SimulatedRun | { readonly problem: string } => {
  try {
    return query['faults'] === undefined ? runByHand(query) : drawnRun(query)
  } catch (error) {
    if (error instanceof AddressError) return { problem: error.message }
    throw error
  }
}

class AddressError extends Error {
  override readonly name = 'AddressError'
}

const known = {
  byHand: ['seed', 'nodes', 'shards', 'loss', 'delay', 'do', 'to', 'digest'],
  drawn: ['faults', 'seed', 'nodes', 'shards', 'minutes', 'commit', 'to', 'digest'],
} as const

const runByHand = (query: Query): RunByHand => {
  refuseOthers(query, known.byHand)
  const run = {
    ...looked(query, RUN_MS_MAX),
    nodes: oneOf(query, 'nodes', NODES) ?? defaultRun.nodes,
    shards: oneOf(query, 'shards', SHARDS) ?? defaultRun.shards,
    loss: numberIn(query, 'loss', [0, LOSS_MAX]) ?? defaultRun.loss,
    delayMs: numberIn(query, 'delay', [1, DELAY_MS_MAX]) ?? defaultRun.delayMs,
  }
  return { faults: 'byHand', ...run, commands: commandsOf(query['do'] ?? '') }
}

const drawnRun = (query: Query): DrawnRun => {
  refuseOthers(query, known.drawn)
  if (query['faults'] !== 'drawn') refuse(`faults is "drawn" or not there, not "${query['faults'] ?? ''}"`)
  return {
    faults: 'drawn', ...looked(query, Number.MAX_SAFE_INTEGER),
    nodes: wholeIn(query, 'nodes', [1, 9]), shards: wholeIn(query, 'shards', [1, 64]),
    minutes: numberIn(query, 'minutes', [0, MINUTES_MAX]),
    commit: matching(query, 'commit', /^[0-9a-f]{7,40}$|^unknown$/, 'the name of a commit'),
  }
}

const looked = (query: Query, toMax: number): Looked => ({
  seed: wholeIn(query, 'seed', [1, Number.MAX_SAFE_INTEGER]) ?? defaultRun.seed,
  to: wholeIn(query, 'to', [0, toMax]),
  digest: matching(query, 'digest', /^[0-9a-f]{16}$/, '16 hexadecimal digits'),
})

const commandsOf = (text: string): readonly Command[] => {
  const parts = text.split('_').filter((part) => part !== '')
  if (parts.length > COMMANDS_MAX) refuse(`a run has at most ${COMMANDS_MAX} commands, not ${parts.length}`)
  const commands = parts.map((part): Command => {
    const [, at = '', deed = '', node = ''] = /^(\d{1,9})\.([a-z]+)\.(n[1-9])$/.exec(part) ?? []
    const found = deeds.find((one) => one === deed)
    if (found === undefined) return refuse(`"${part}" is no command: time.what.node, with one of ${deeds.join(', ')}`)
    if (Number(at) > RUN_MS_MAX) refuse(`"${part}" is after the end, ${RUN_MS_MAX} ms`)
    return { at: Number(at), deed: found, node }
  })
  commands.forEach(({ at }, i) => {
    if (at < (commands[i - 1]?.at ?? 0)) refuse('commands are in the order of their times')
  })
  return commands
}

const refuse = (problem: string): never => { throw new AddressError(`This is not the address of a run: ${problem}.`) }

const refuseOthers = (query: Query, names: readonly string[]): void => {
  const other = Object.keys(query).find((name) => !names.includes(name))
  if (other !== undefined) refuse(`nothing is called "${other}" here`)
}

const numberIn = (query: Query, name: string, [min, max]: readonly [number, number]): number | null => {
  const text = query[name]
  if (text === undefined) return null
  const value = /^\d{1,16}(?:\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN
  return value >= min && value <= max ? value : refuse(`${name} is a number from ${min} to ${max}, not "${text}"`)
}

const wholeIn = (query: Query, name: string, range: readonly [number, number]): number | null => {
  const value = numberIn(query, name, range)
  return value === null || Number.isSafeInteger(value) ? value : refuse(`${name} is a whole number, not "${query[name] ?? ''}"`)
}

const oneOf = (query: Query, name: string, choices: readonly number[]): number | null => {
  const value = numberIn(query, name, [0, Number.MAX_SAFE_INTEGER])
  return value === null || choices.includes(value) ? value : refuse(`${name} is one of ${choices.join(', ')}, not "${query[name] ?? ''}"`)
}

const matching = (query: Query, name: string, pattern: RegExp, wanted: string): string | null => {
  const text = query[name]
  if (text === undefined) return null
  return pattern.test(text) ? text : refuse(`${name} is ${wanted}, not "${text}"`)
}

/** In the order in which a person reads it. */
export const queryOf = (run: SimulatedRun): Query => {
  const shared = (given: Readonly<Record<string, string | number | null>>): Query => Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => (value === null || value === '' ? [] : [[name, String(value)]])),
  )
  const { seed, nodes, shards, to, digest } = run
  if (run.faults === 'drawn') return shared({ seed, faults: 'drawn', nodes, shards, minutes: run.minutes, commit: run.commit, to, digest })
  const done = run.commands.map(({ at, deed, node }) => `${at}.${deed}.${node}`).join('_')
  return shared({ seed, nodes, shards, loss: run.loss, delay: run.delayMs, do: done, to, digest })
}

/** Null where the page would refuse it: flags of `npm run sim` go further than the page does. */
export const readableAddressOf = (run: SimulatedRun): string | null => ('problem' in runOf(queryOf(run)) ? null : addressOf(run))

/** What stands behind the `#` of the page's address. */
export const addressOf = (run: SimulatedRun): string => `#/simulator?${new URLSearchParams(queryOf(run)).toString()}`
