/**
 * The cluster as it is now: what the feed brings, frame by frame, over what the admin API says every two to ten seconds. One of it for
 * the page; views read its signals and are drawn anew when `shown` changes.
 *
 *   fetch /v1/feed ──▶ intake ──a frame at a time──▶ world, rates, the log of the last records
 *   fetch /v1/cluster, nodes, shards, moves, actors ──▶ facts, world
 *
 * Pictures change at once when a state changes, and twice a second otherwise: figures that jump sixty times a second can not be read.
 */

import { signal } from '@preact/signals'
import { ask, isTokenWanted, open } from './access.ts'
import { createEventParser } from './sse.ts'
import { createIntake } from './intake.ts'
import { createLoads } from './loads.ts'
import { createRates } from './rates.ts'
import { readPast } from './past.ts'
import { recordOf } from '../recorder/record.ts'
import { applyActors, applyRecord, createWorld } from './world.ts'
import type { ClusterFacts } from './picture.ts'
import type { ActorRecord } from '../recorder/record.ts'
import type { NodeActors } from '../recorder/wire.ts'
import type { ClusterAnswer, MovesAnswer, NodesAnswer, ShardsAnswer } from '../../gateway/admin/views.ts'

const POLL_MS = 2_000
/** Of membership and moves, while nothing is told to have changed. */
const CALM_POLL_MS = 10_000
const RETRY_MS = 1_000
/** Records that the page remembers of the feed. */
const LOG_RECORDS_MAX = 40_000
const CALM_MS = 500

export type Link = 'connecting' | 'live' | 'broken'

export interface FrameFigures {
  readonly recordsPerSecond: number
  /** The longest that one frame took, from its first record until it was drawn, of the last second. */
  readonly busiestMs: number
  /** Records that did not come through. */
  readonly lost: number
}

/** Grows when there is something new to draw. */
export const shown = signal(0)
export const link = signal<Link>('connecting')
export const facts = signal<ClusterFacts | null>(null)
export const factsProblem = signal('')
export const answers = signal<readonly NodeActors[]>([])
export const figures = signal<FrameFigures>({ recordsPerSecond: 0, busiestMs: 0, lost: 0 })
export const isDetailed = signal(false)

export const world = createWorld()
export const rates = createRates()
export const loads = createLoads()
const log: ActorRecord[] = []
const intake = createIntake()
let lost = 0
let isPastRead = false

/** Oldest first. */
export const recentRecords = (): readonly ActorRecord[] => log

const remember = (record: ActorRecord): void => {
  log.push(record)
  if (log.length > LOG_RECORDS_MAX * 1.25) log.splice(0, log.length - LOG_RECORDS_MAX)
}

let counted = 0
let countedSince = performance.now()
let busiest = 0
let drawnAt = 0

/** What the meta group decides, and a node or a verdict that changes, is told by the feed. */
const isOfMembership = ({ actor, kind }: ActorRecord): boolean =>
  (kind === 'note' && (actor === 'topology' || actor === 'gossip')) || (kind === 'state' && actor === 'node')

const drawn = new MessageChannel()
let onDrawn = (): void => {}
drawn.port2.onmessage = () => onDrawn()

/** A message waits for the drawing of the frame in which it is posted; a frame has one. */
const afterDrawing = (then: () => void): void => {
  onDrawn = then
  drawn.port1.postMessage(null)
}

/** One frame: a bounded part of what waits. */
const frame = (): void => {
  const started = performance.now()
  const records = intake.take()
  let isPictureNew = false
  for (const record of records) {
    if (applyRecord(world, record)) isPictureNew = true
    if (isOfMembership(record)) isMembershipNews = true
    rates.add(record)
    remember(record)
  }
  counted += records.length
  const now = performance.now()
  afterDrawing(() => { busiest = Math.max(busiest, performance.now() - started) })
  if (now - countedSince >= 1_000) {
    const recordsPerSecond = Math.round(counted * 1_000 / (now - countedSince))
    figures.value = { recordsPerSecond, busiestMs: busiest, lost: lost + intake.dropped() }
    counted = 0
    busiest = 0
    countedSince = now
  }
  if (isPictureNew || now - drawnAt >= CALM_MS) {
    drawnAt = now
    shown.value += 1
  }
  requestAnimationFrame(frame)
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms) })

type Membership = Omit<ClusterFacts, 'missing' | 'warnings'>

let membership: Membership | null = null
let membershipAt = 0
let isMembershipNews = false

/** Each of its questions has a quorum of the meta group confirm it: seldom while nothing changes, often while something does. */
const isMembershipDue = (): boolean => membership === null || isMembershipNews || membership.moves.length > 0
  || factsProblem.value !== '' || performance.now() - membershipAt >= CALM_POLL_MS

/** In words when it could not be had. */
const askMembership = async (): Promise<string> => {
  isMembershipNews = false
  const [cluster, nodes, shards, moves] = await Promise.all([
    ask<ClusterAnswer>('/v1/cluster'), ask<NodesAnswer>('/v1/nodes'), ask<ShardsAnswer>('/v1/shards'), ask<MovesAnswer>('/v1/moves'),
  ])
  if ('problem' in cluster || 'problem' in nodes || 'problem' in shards || 'problem' in moves) {
    return [cluster, nodes, shards, moves].flatMap((one) => ('problem' in one ? [one.problem] : []))[0] ?? ''
  }
  membershipAt = performance.now()
  membership = {
    cluster: cluster.value, nodes: nodes.value.nodes, shards: shards.value.shards, moves: moves.value.moves,
  }
  return ''
}

const poll = async (): Promise<void> => {
  const [problem, actors, readiness] = await Promise.all([
    isMembershipDue() ? askMembership() : '',
    ask<{ readonly nodes: readonly NodeActors[]; readonly missing: readonly string[] }>('/v1/actors'),
    ask<{ readonly warnings: readonly string[] }>('/readyz'),
  ])
  if (problem !== '' || 'problem' in actors || membership === null) {
    factsProblem.value = 'problem' in actors ? actors.problem : problem
    return
  }
  applyActors(world, actors.value.nodes)
  loads.add(actors.value.nodes)
  answers.value = actors.value.nodes
  factsProblem.value = ''
  facts.value = { ...membership, missing: actors.value.missing, warnings: 'value' in readiness ? readiness.value.warnings : [] }
  shown.value += 1
}

const pollForEver = async (): Promise<never> => {
  for (;;) {
    if (!isTokenWanted.value) await poll()
    await pause(POLL_MS)
  }
}

/** Whoever has not changed for long is known by its answer alone: lanes begin with it. */
const rememberStanding = (before: number): void => {
  for (const { node, actors } of answers.value) {
    for (const { actor, state, since, counters } of actors) {
      if (since < before) remember({ at: since, seq: 0, node, actor, kind: 'state', event: state, term: counters['term'] ?? 0 })
    }
  }
}

const readPastOnce = async (): Promise<void> => {
  if (isPastRead) return
  isPastRead = true
  const { from, records } = await readPast(async (since) => {
    const answer = await open(`/v1/recording?from=${since}`)
    return 'problem' in answer ? null : answer.value.body
  })
  rememberStanding(from)
  intake.push(records)
}

let abortFeed = new AbortController()

const listen = async (): Promise<void> => {
  abortFeed = new AbortController()
  const answer = await open(`/v1/feed?detail=${isDetailed.value ? 1 : 0}`, { signal: abortFeed.signal })
  if ('problem' in answer || answer.value.body === null) return
  link.value = 'live'
  const reader = answer.value.body.pipeThrough(new TextDecoderStream()).getReader()
  const parse = createEventParser()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    for (const { event, data } of parse(value)) hear(event, JSON.parse(data) as unknown)
  }
}

const hear = (event: string, data: unknown): void => {
  if (event === 'records' && Array.isArray(data)) {
    intake.push((data as readonly unknown[]).map(recordOf).filter((record) => record !== undefined))
  } else if (event === 'lost') lost += (data as { readonly count?: number }).count ?? 0
}

const listenForEver = async (): Promise<never> => {
  for (;;) {
    try {
      if (!isTokenWanted.value) await listen()
    } catch {
      // The connection ended; what matters is that it is made again.
    }
    if (!abortFeed.signal.aborted) {
      link.value = 'broken'
      await pause(RETRY_MS)
    }
  }
}

/** Every message, not only those of sampled requests. Costs the cluster something, so it is asked for. */
export const setDetailed = (isWanted: boolean): void => {
  isDetailed.value = isWanted
  abortFeed.abort()
}

export const startLive = async (): Promise<void> => {
  requestAnimationFrame(frame)
  await poll()
  await readPastOnce()
  await Promise.all([pollForEver(), listenForEver()])
}
