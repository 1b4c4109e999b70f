/**
 * A TCP link that knows where messages begin and end: between a node, a client or a broker and the broker it dials.
 *
 * - weather: loss, delay, duplication and reordering of messages (weather.ts).
 * - cut: connections are reset, new ones refused.
 * - stalled: everything is held, in order, and arrives in one burst when the link is mended: a broker's own shape.
 * - isolated: what nodes say to each other vanishes, what clients ask and hear passes.
 * - half-open: what one direction carries vanishes, and no end hears that the connection is gone.
 *
 * A link between brokers can be cut for one dialler alone: the dialler is whoever its first lines name.
 */

import { connect, createServer } from 'node:net'
import { createFrameReader } from './frames.ts'
import { drawFate } from './weather.ts'
import type { AddressInfo, Socket } from 'node:net'
import type { Random } from '../../actors/kernel/random.ts'
import type { Frame } from './frames.ts'
import type { Weather } from './weather.ts'

export type Direction = 'toBroker' | 'fromBroker'

export interface LinkFigures {
  readonly dropped: number
  readonly doubled: number
  readonly delayed: number
}

export interface Link {
  readonly name: string
  readonly port: number
  readonly setWeather: (weather: Weather | null, random: Random) => void
  /** Of `dialler` alone where one is named. */
  readonly cut: (dialler?: string) => void
  readonly stall: (direction: Direction) => void
  readonly mute: (direction: Direction) => void
  readonly isolate: (direction: Direction) => void
  /** Takes back every cut, stall, isolation and half-openness. Weather stays as it is. */
  readonly mend: () => void
  readonly figures: () => LinkFigures
  readonly close: () => void
}

export interface LinkOptions {
  readonly name: string
  readonly targetPort: number
}

interface Rules {
  weather: Weather | null
  random: Random
  isCut: boolean
  readonly cutDiallers: Set<string>
  readonly stalled: Set<Direction>
  readonly muted: Set<Direction>
  readonly isolated: Set<Direction>
}

interface Pair {
  /** Sends what was held while stalled, or ends what lost bytes. */
  readonly mend: () => void
  readonly dialler: () => string
  readonly destroy: () => void
}

interface Flow {
  readonly direction: Direction
  readonly from: Socket
  readonly to: Socket
}

/** Of the subjects between nodes (bus/subjects.ts). */
const BETWEEN_NODES = 'skv.'
const noChance: Random = { uint32: () => 0 }
/** What the dialler of a route calls itself, in its CONNECT or INFO. */
const SERVER_NAME = /"(?:server_)?name":"(b\d+)"/

export const openLink = ({ name, targetPort }: LinkOptions): Promise<Link> => new Promise((resolve, reject) => {
  const rules: Rules = {
    weather: null, random: noChance, isCut: false,
    cutDiallers: new Set(), stalled: new Set(), muted: new Set(), isolated: new Set(),
  }
  const counts: Counts = { dropped: 0, doubled: 0, delayed: 0 }
  const pairs = new Set<Pair>()
  const server = createServer((near) => {
    if (rules.isCut) near.destroy()
    else openPair(near)
  })
  const openPair = (near: Socket): void => {
    const far = connect(targetPort, '127.0.0.1')
    let dialler = ''
    const destroy = (): void => {
      near.destroy()
      far.destroy()
      pairs.delete(pair)
    }
    const learn = (frame: Frame): void => {
      if (dialler !== '' || frame.subject !== null) return
      dialler = SERVER_NAME.exec(frame.bytes.toString('latin1'))?.[1] ?? ''
      if (rules.cutDiallers.has(dialler)) destroy()
    }
    const outward = pump(rules, counts, { direction: 'toBroker', from: near, to: far }, learn)
    const inward = pump(rules, counts, { direction: 'fromBroker', from: far, to: near }, () => {})
    const pair: Pair = {
      destroy,
      dialler: () => dialler,
      mend: () => {
        outward.release()
        inward.release()
        if (outward.isBroken() || inward.isBroken()) destroy()
      },
    }
    pairs.add(pair)
    for (const socket of [near, far]) {
      socket.setNoDelay(true)
      socket.on('error', destroy)
      socket.on('close', destroy)
    }
  }
  server.once('error', reject)
  server.listen(0, '127.0.0.1', () => resolve({
    name,
    port: (server.address() as AddressInfo).port,
    setWeather: (weather, random) => {
      rules.weather = weather
      rules.random = random
    },
    cut: (dialler) => {
      if (dialler === undefined) rules.isCut = true
      else rules.cutDiallers.add(dialler)
      for (const pair of pairs) if (dialler === undefined || pair.dialler() === dialler) pair.destroy()
    },
    stall: (direction) => { rules.stalled.add(direction) },
    mute: (direction) => { rules.muted.add(direction) },
    isolate: (direction) => { rules.isolated.add(direction) },
    mend: () => {
      rules.isCut = false
      rules.cutDiallers.clear()
      rules.stalled.clear()
      rules.muted.clear()
      rules.isolated.clear()
      for (const pair of pairs) pair.mend()
    },
    figures: () => ({ ...counts }),
    close: () => {
      server.close()
      for (const pair of pairs) pair.destroy()
    },
  }))
})

interface Pump {
  /** Sends everything that was held. */
  readonly release: () => void
  /** Bytes are missing in the middle: this connection can not go on. */
  readonly isBroken: () => boolean
}

type Counts = { -readonly [Name in keyof LinkFigures]: LinkFigures[Name] }

/** Carries one direction of one connection. */
const pump = (rules: Rules, counts: Counts, { direction, from, to }: Flow, heard: (frame: Frame) => void): Pump => {
  const reader = createFrameReader()
  const held: Buffer[] = []
  /** Messages under way, in their order, and when each is due. */
  const queue: { readonly bytes: Buffer; readonly dueAt: number }[] = []
  let isBroken = false
  const write = (bytes: Buffer): void => {
    if (rules.stalled.has(direction)) held.push(bytes)
    else if (!to.destroyed) to.write(bytes)
  }
  const deliverDue = (): void => {
    for (let next = queue[0]; next !== undefined && next.dueAt <= performance.now(); next = queue[0]) {
      queue.shift()
      write(next.bytes)
    }
    if (queue[0] !== undefined) setTimeout(deliverDue, queue[0].dueAt - performance.now())
  }
  const enqueue = (bytes: Buffer, delayMs: number): void => {
    const dueAt = Math.max(performance.now() + delayMs, queue.at(-1)?.dueAt ?? 0)
    queue.push({ bytes, dueAt })
    if (queue.length === 1) setTimeout(deliverDue, dueAt - performance.now())
  }
  const carry = (frame: Frame): void => {
    heard(frame)
    if (rules.isolated.has(direction) && frame.subject?.startsWith(BETWEEN_NODES) === true) {
      counts.dropped += 1
      return
    }
    const { copies, delayMs, isOvertaken } = drawFate(rules.random, rules.weather, frame)
    if (copies === 0) counts.dropped += 1
    if (copies === 2) counts.doubled += 1
    if (delayMs > 0) counts.delayed += 1
    for (let copy = 0; copy < copies; copy += 1) {
      if (isOvertaken) setTimeout(() => write(frame.bytes), delayMs)
      else if (delayMs === 0 && queue.length === 0) write(frame.bytes)
      else enqueue(frame.bytes, delayMs)
    }
  }
  from.on('data', (chunk: Buffer) => {
    if (rules.muted.has(direction)) {
      isBroken = true
      return
    }
    // A burst leaves in one write, as it came.
    to.cork()
    for (const frame of reader.read(chunk)) carry(frame)
    process.nextTick(() => to.uncork())
  })
  return {
    release: () => {
      for (const bytes of held.splice(0)) if (!to.destroyed) to.write(bytes)
    },
    isBroken: () => isBroken,
  }
}
