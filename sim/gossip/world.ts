/**
 * A group of failure detectors in virtual time: the very shells, charts and cores that a node runs (actors/gossip), a ticker each, and a
 * network that loses, delays and cuts. No broker and no database, so that a thousand fit.
 *
 * One seed decides everything. Who runs, sleeps or is dead is known here, so that a verdict can be told right or wrong.
 */

import { createGossip } from '../../actors/gossip/actor.ts'
import { must } from '../../actors/kernel/assert.ts'
import { silentLogger } from '../../actors/kernel/log.ts'
import { between, chance, createRandom, fraction } from '../../actors/kernel/random.ts'
import { createTicker } from '../../actors/kernel/ticker.ts'
import { nodeId } from '../../topology/ids.ts'
import { createNodeClock, createProcess, createTimeline } from '../clock.ts'
import type { Gossip } from '../../actors/gossip/actor.ts'
import type { GossipConfig } from '../../actors/gossip/config.ts'
import type { GossipMessage, PeerState, VerdictChange } from '../../actors/gossip/protocol.ts'
import type { Ticker } from '../../actors/kernel/ticker.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { Process } from '../clock.ts'

export interface WorldOptions {
  readonly nodes: number
  readonly seed: number
  /** Share of messages lost, each by itself. */
  readonly loss?: number
  /** Mean of the exponential delay, in milliseconds. */
  readonly delayMsMean?: number
  readonly config?: Partial<GossipConfig>
  /** Sees every message that is sent. */
  readonly onSent?: (message: GossipMessage) => void
  readonly onVerdict?: (observer: NodeId, change: VerdictChange) => void
}

export interface World {
  readonly now: () => number
  readonly run: (ms: number) => void
  /** Runs in steps until it holds, and returns when it did; null after `withinMs`. */
  readonly until: (holds: () => boolean, withinMs: number) => number | null
  readonly members: readonly NodeId[]
  /** Those that run or sleep, in order. */
  readonly living: () => readonly NodeId[]
  readonly isAsleep: (id: NodeId) => boolean
  readonly start: (id: NodeId) => void
  readonly kill: (id: NodeId) => void
  readonly pause: (id: NodeId) => void
  readonly resume: (id: NodeId) => void
  readonly leave: (id: NodeId) => void
  /** The cluster map names these from now on. */
  readonly setMembers: (members: readonly NodeId[]) => void
  readonly setLoss: (loss: number) => void
  readonly setConnected: (id: NodeId, isConnected: boolean) => void
  readonly cut: (isCut: (from: NodeId, to: NodeId) => boolean) => void
  /** What one believes of another; undefined while the first does not run. */
  readonly view: (observer: NodeId, of: NodeId) => PeerState | undefined
  readonly gossipOf: (id: NodeId) => Gossip | undefined
  readonly sent: () => number
}

interface Life {
  readonly process: Process
  readonly gossip: Gossip
  readonly ticker: Ticker
}

const STEP_MS = 50
const DELAY_MS_MEAN = 2

export const createWorld = (options: WorldOptions): World => {
  const { nodes, seed, config = {}, delayMsMean = DELAY_MS_MEAN } = options
  const timeline = createTimeline()
  const random = createRandom(seed)
  const lives = new Map<NodeId, Life>()
  const views = new Map<NodeId, Map<NodeId, PeerState>>()
  const offline = new Set<NodeId>()
  let members = Array.from({ length: nodes }, (_, i) => nodeId(`n${i + 1}`)) as readonly NodeId[]
  let loss = options.loss ?? 0
  let isCut: (from: NodeId, to: NodeId) => boolean = () => false
  let sent = 0

  const transmit = (from: NodeId, to: NodeId, message: GossipMessage): void => {
    sent += 1
    options.onSent?.(message)
    const life = lives.get(to)
    if (life === undefined || offline.has(from) || offline.has(to) || isCut(from, to) || chance(random, loss)) return
    const delay = -delayMsMean * Math.log(1 - fraction(random))
    timeline.schedule(delay, () => life.gossip.send({ ...message, from }), { process: life.process, kind: 'arrival' })
  }
  const start = (id: NodeId): void => {
    const process = createProcess(id)
    const seen = new Map<NodeId, PeerState>()
    const gossip = createGossip({
      self: id, random: createRandom(random.uint32()), config, log: silentLogger,
      send: (to, message) => transmit(id, to, message),
      onVerdict: (change) => {
        seen.set(change.peer, change.to)
        options.onVerdict?.(id, change)
      },
      onFailure: (error) => { throw error },
    })
    const tickMs = config.tickMs ?? TICK_MS
    const clock = createNodeClock({ timeline, process, rate: 1, wallStartMs: 0, wallOffsetMs: () => 0 })
    timeline.schedule(between(random, 0, tickMs - 1), () => {
      const ticker = createTicker(clock, tickMs, ({ ticks }) => {
        gossip.send({ type: 'tick', ticks, isConnected: !offline.has(id), members })
      })
      lives.set(id, { process, gossip, ticker })
      views.set(id, seen)
    }, { process })
  }
  const lifeOf = (id: NodeId): Life => must(lives.get(id), `${id} lives`)
  const run = (ms: number): void => timeline.runUntil(timeline.now() + ms)
  for (const id of members) start(id)
  return {
    now: timeline.now,
    run,
    until: (holds, withinMs) => {
      for (const deadline = timeline.now() + withinMs; !holds(); run(STEP_MS)) if (timeline.now() >= deadline) return null
      return timeline.now()
    },
    members,
    living: () => members.filter((id) => lives.has(id)),
    isAsleep: (id) => lives.get(id)?.process.state === 'paused',
    start,
    kill: (id) => {
      const { process, gossip, ticker } = lifeOf(id)
      timeline.crash(process)
      ticker.stop()
      gossip.stop()
      lives.delete(id)
      views.delete(id)
    },
    pause: (id) => timeline.pause(lifeOf(id).process),
    resume: (id) => timeline.resume(lifeOf(id).process),
    leave: (id) => lifeOf(id).gossip.send({ type: 'gossip.leave' }),
    setMembers: (next) => { members = next },
    setLoss: (next) => { loss = next },
    setConnected: (id, isConnected) => {
      if (isConnected) offline.delete(id)
      else offline.add(id)
    },
    cut: (next) => { isCut = next },
    view: (observer, of) => {
      const seen = views.get(observer)
      return seen === undefined ? undefined : seen.get(of) ?? 'alive'
    },
    gossipOf: (id) => lives.get(id)?.gossip,
    sent: () => sent,
  }
}

const TICK_MS = 100
