/**
 * What becomes of every message between two connections: lost, late, doubled, out of order, stuck behind a clog,
 * or cut off.
 *
 * The broker stands between everybody, so faults have a broker's shapes. A clog keeps a link's messages and
 * releases them together (a slow consumer's late burst); a cut loses them; a cut of everything is a broker that
 * restarts.
 *
 * An endpoint is a connection: `n1` (a node's data path), `n1/doors`, `n1/control`, `c1` (a client). Without reordering each
 * link is first in, first out, as one NATS connection is.
 */

import { between, chance, fraction, pick, shuffle } from '../actors/kernel/random.ts'
import type { Random } from '../actors/kernel/random.ts'

export interface NetworkOptions {
  /** Share of messages between nodes lost without any fault, 0 to 0.3. */
  readonly loss: number
  /** Share of messages doubled, 0 to 0.5. */
  readonly duplication: number
  /** Mean of the exponential delay, in milliseconds, 1 to 100. */
  readonly delayMsMean: number
  /** How far a message may overtake earlier ones of its link, in milliseconds; 0: never, as one NATS connection delivers. */
  readonly reorderMsMax: number
}

/** May be doubled only where the receiver promises to bear it: core NATS never doubles a request by itself. */
export interface MessageKind {
  readonly mayRepeat: boolean
  /** Of the failure detectors (withAside). */
  readonly isAside?: boolean
}

export interface Network {
  /** Delays in milliseconds, one per copy that arrives. */
  readonly fate: (from: string, to: string, kind: MessageKind) => readonly number[]
  /** Replaces the cut: messages from a to b are lost while `isCut(a, b)`. */
  readonly cut: (isCut: (from: string, to: string) => boolean) => void
  readonly heal: () => void
  /** Messages on matching links wait until virtual time `untilMs`, then arrive together. */
  readonly clog: (isClogged: (from: string, to: string) => boolean, untilMs: number) => void
  /** Messages on matching links that may be doubled arrive once more at `againAtMs`, as long as they are sent before `untilMs`. */
  readonly echo: (isEchoed: (from: string, to: string) => boolean, times: EchoTimes) => void
  /** No loss, no doubling and little delay from now on: the liveness phase. */
  readonly calm: () => void
  readonly counters: () => NetworkCounters
}

export interface EchoTimes {
  readonly untilMs: number
  readonly againAtMs: number
}

export interface NetworkCounters {
  readonly delivered: number
  readonly lost: number
  readonly doubled: number
  /** Messages that came again after their sender had connected again. */
  readonly echoed: number
  /** Messages that arrive before an earlier one of their link. */
  readonly overtaken: number
}

const CALM_DELAY_MS = 1
/** Share of the messages of a reordering network that are held up for anything up to its window. */
const STRAGGLERS = 0.01

export const createNetwork = (options: NetworkOptions, random: Random, now: () => number): Network => {
  let isCut: ((from: string, to: string) => boolean) | null = null
  let clogs: { readonly matches: (from: string, to: string) => boolean; readonly untilMs: number }[] = []
  let echoes: (EchoTimes & { readonly matches: (from: string, to: string) => boolean })[] = []
  let isCalm = false
  const counters = { delivered: 0, lost: 0, doubled: 0, echoed: 0, overtaken: 0 }
  /** When the last of a link's messages arrives. */
  const lastArrival = new Map<string, number>()

  const delay = (): number => {
    const usual = -(isCalm ? CALM_DELAY_MS : options.delayMsMean) * Math.log(1 - fraction(random))
    const isStraggler = options.reorderMsMax > 0 && !isCalm && chance(random, STRAGGLERS)
    return isStraggler ? usual + fraction(random) * options.reorderMsMax : usual
  }
  const clogEnd = (from: string, to: string): number => {
    if (clogs.length === 0) return 0
    clogs = clogs.filter(({ untilMs }) => untilMs > now())
    return clogs.reduce((end, { matches, untilMs }) => (matches(from, to) ? Math.max(end, untilMs) : end), 0)
  }
  const arrivalDelay = (from: string, to: string): number => {
    const link = `${from} ${to}`
    const newest = lastArrival.get(link) ?? 0
    const earliest = isCalm ? newest : newest - options.reorderMsMax
    const at = Math.max(now() + delay(), clogEnd(from, to), earliest)
    if (at < newest) counters.overtaken += 1
    lastArrival.set(link, Math.max(newest, at))
    return at - now()
  }

  const echoDelay = (from: string, to: string): number | null => {
    if (echoes.length === 0 || isCalm) return null
    echoes = echoes.filter(({ untilMs }) => untilMs > now())
    const found = echoes.find(({ matches }) => matches(from, to))
    if (found === undefined) return null
    counters.echoed += 1
    return found.againAtMs - now()
  }

  return {
    fate: (from, to, kind) => {
      if (isCut?.(from, to) === true || (!isCalm && chance(random, options.loss))) {
        counters.lost += 1
        return []
      }
      counters.delivered += 1
      const first = arrivalDelay(from, to)
      const again = kind.mayRepeat ? echoDelay(from, to) : null
      if (again !== null) return [first, Math.max(first, again)]
      if (isCalm || !kind.mayRepeat || !chance(random, options.duplication)) return [first]
      counters.doubled += 1
      return [first, arrivalDelay(from, to)]
    },
    cut: (next) => { isCut = next },
    heal: () => {
      isCut = null
      clogs = []
    },
    echo: (matches, times) => { echoes.push({ matches, ...times }) },
    clog: (matches, untilMs) => { clogs.push({ matches, untilMs }) },
    calm: () => {
      isCalm = true
      // What is still held up arrives when it does; nothing that is sent from now on waits behind it.
      lastArrival.clear()
    },
    counters: () => ({ ...counters }),
  }
}

/**
 * Two networks under the same cuts and clogs: what is aside draws from a generator of its own, on links of its own, and is not counted.
 * So failure detectors may talk more or less, and no other message meets another fate.
 */
export const withAside = (main: Network, aside: Network): Network => ({
  fate: (from, to, kind) => (kind.isAside === true ? aside : main).fate(from, to, kind),
  cut: (isCut) => [main, aside].forEach((network) => network.cut(isCut)),
  heal: () => [main, aside].forEach((network) => network.heal()),
  clog: (isClogged, untilMs) => [main, aside].forEach((network) => network.clog(isClogged, untilMs)),
  echo: (isEchoed, times) => [main, aside].forEach((network) => network.echo(isEchoed, times)),
  calm: () => [main, aside].forEach((network) => network.calm()),
  counters: main.counters,
})

/** The node an endpoint belongs to: `n1/control` is `n1`. */
export const ownerOf = (endpoint: string): string => {
  const slash = endpoint.indexOf('/')
  return slash < 0 ? endpoint : endpoint.slice(0, slash)
}

/** The connection of a node's front doors. */
export const doorsOf = (node: string): string => `${node}/doors`

const isClient = (owner: string): boolean => owner.startsWith('c')

export const partitionKinds = [
  'isolateOne', 'halves', 'ring', 'bridge', 'oneWay', 'leaderOnly', 'clientsOnly', 'everything', 'dataPathOnly',
  'doorsOnly',
] as const
export type PartitionKind = (typeof partitionKinds)[number]

export interface PartitionInput {
  readonly kind: PartitionKind
  readonly nodes: readonly string[]
  /** A node that leads something now, if any. */
  readonly leader: string | undefined
  readonly random: Random
}

export interface Partition {
  /** For the trace: who is cut from whom. */
  readonly name: string
  readonly isCut: (from: string, to: string) => boolean
}

/** Clients stay connected to every node unless the kind says otherwise: between them and a node there is only the broker. */
export const drawPartition = ({ kind, nodes, leader, random }: PartitionInput): Partition => {
  const one = pick(random, nodes) ?? ''
  switch (kind) {
    case 'isolateOne': return isolate(`isolate ${one}`, one, chance(random, 0.5))
    case 'leaderOnly': return isolate(`isolate leader ${leader ?? one}`, leader ?? one, false)
    case 'halves': return halves(shuffle(random, nodes), between(random, 1, nodes.length - 1))
    case 'ring': return ring(shuffle(random, nodes))
    case 'bridge': return bridge(shuffle(random, nodes))
    case 'oneWay': return oneWay(one, chance(random, 0.5))
    case 'clientsOnly': return { name: 'clients cut', isCut: (from, to) => isClient(from) || isClient(to) }
    case 'everything': return { name: 'broker gone', isCut: () => true }
    case 'doorsOnly': return { name: `doors of ${one} cut`, isCut: (from, to) => from === doorsOf(one) || to === doorsOf(one) }
    case 'dataPathOnly': return { name: `data path of ${one} cut`, isCut: (from, to) => from === one || to === one }
  }
  return kind satisfies never
}

const betweenNodes = (isCut: (a: string, b: string) => boolean): Partition['isCut'] => (from, to) => {
  const a = ownerOf(from)
  const b = ownerOf(to)
  return a !== b && !isClient(a) && !isClient(b) && isCut(a, b)
}

const isolate = (name: string, one: string, withClients: boolean): Partition => ({
  name: withClients ? `${name} also from clients` : name,
  isCut: (from, to) => {
    const a = ownerOf(from)
    const b = ownerOf(to)
    if (a === b || (a !== one && b !== one)) return false
    return withClients || (!isClient(a) && !isClient(b))
  },
})

const halves = (nodes: readonly string[], cutAt: number): Partition => {
  const left = new Set(nodes.slice(0, cutAt))
  return {
    name: `${[...left].join(' ')} | ${nodes.slice(cutAt).join(' ')}`,
    isCut: betweenNodes((a, b) => left.has(a) !== left.has(b)),
  }
}

/** Everybody hears the nearest neighbours only: majorities overlap, and no two are equal (Cloudflare, 2020). */
const ring = (nodes: readonly string[]): Partition => {
  const reach = Math.max(1, Math.floor(nodes.length / 4))
  const distance = (a: string, b: string): number => {
    const apart = Math.abs(nodes.indexOf(a) - nodes.indexOf(b))
    return Math.min(apart, nodes.length - apart)
  }
  // In a ring of three everybody is a neighbour: a chain is the nearest thing.
  const isChain = nodes.length < 4
  return {
    name: `${isChain ? 'chain' : 'ring'} ${nodes.join(' ')}`,
    isCut: betweenNodes((a, b) => (isChain ? Math.abs(nodes.indexOf(a) - nodes.indexOf(b)) > 1 : distance(a, b) > reach)),
  }
}

/** Two halves that see each other only through one node. */
const bridge = (nodes: readonly string[]): Partition => {
  const [middle = '', ...others] = nodes
  const left = new Set(others.slice(0, Math.floor(others.length / 2)))
  return {
    name: `bridge ${middle} between ${[...left].join(' ')} and the rest`,
    isCut: betweenNodes((a, b) => a !== middle && b !== middle && left.has(a) !== left.has(b)),
  }
}

const oneWay = (one: string, isDeaf: boolean): Partition => ({
  name: `${one} is ${isDeaf ? 'deaf' : 'mute'}`,
  isCut: betweenNodes((a, b) => (isDeaf ? b : a) === one),
})
