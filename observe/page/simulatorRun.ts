/**
 * The simulator of this page: a worker that is asked for when the view is first opened, what it was last seen to do, and the page's
 * address, which always says how to come back to what is on the screen.
 *
 * Pictures change some fifteen times a second, whatever the worker says.
 */

import { signal } from '@preact/signals'
import { addressOf } from '../simulator/address.ts'
import { isHistory } from './happenings.ts'
import type { ActorRecord } from '../recorder/record.ts'
import type { Deed, SimulatedRun } from '../simulator/address.ts'
import type { FromSimulator, Speed, ToSimulator } from '../simulator/protocol.ts'

const DRAWN_EVERY_MS = 66
/** Virtual: what the lanes show, and a little more. */
const TRAFFIC_MS = 15_000
const TRAFFIC_RECORDS_MAX = 30_000
const HISTORY_RECORDS_MAX = 4_000

/** The newest that is drawn. */
export const seen = signal<FromSimulator | null>(null)
export const speed = signal<Speed>(1)
export const isBroken = signal(false)
/** Whether the run came to what the address promised; null: it promised nothing, or it is not there yet. */
export const replay = signal<'same' | 'other' | null>(null)

interface Promised {
  readonly to: number | null
  readonly digest: string
}

let worker: Worker | null = null
/** Of the address that was opened, as long as nobody has done anything else. */
let promised: Promised | null = null
/** Of the run that was opened last: what an earlier one still says does not count. */
let number = 0
let newest: FromSimulator | null = null
let drawnAt = 0
let drawing: ReturnType<typeof setTimeout> | undefined
/** What raft members became: few, and a lane may begin with one of long ago. */
let states: ActorRecord[] = []
let traffic: ActorRecord[] = []
let told: ActorRecord[] = []

/** Of the lanes: states from the start, messages of the last seconds. */
export const laneRecords = (): readonly ActorRecord[] => [...states, ...traffic]
/** What is worth a word, oldest first. */
export const historyRecords = (): readonly ActorRecord[] => told

export const currentRun = (): SimulatedRun | null => newest?.run ?? null

const say = (message: ToSimulator): void => worker?.postMessage(message)

const started = (): Worker => {
  const path = document.querySelector('meta[name="simulator"]')?.getAttribute('content') ?? ''
  const made = new Worker(path)
  made.addEventListener('message', ({ data }: MessageEvent<FromSimulator>) => hear(data))
  made.addEventListener('error', () => { isBroken.value = true })
  return made
}

export const openRun = (run: SimulatedRun): void => {
  worker ??= started()
  number += 1
  states = []
  traffic = []
  told = []
  newest = null
  seen.value = null
  replay.value = null
  promised = run.digest === null ? null : { to: run.to, digest: run.digest }
  say({ type: 'simulator.open', number, run: { ...run, to: null, digest: null } })
  if (run.to !== null) say({ type: 'simulator.go', speed: null, to: run.to })
  else go(run.faults === 'drawn' ? null : speed.value)
}

export const go = (at: Speed): void => {
  speed.value = at
  say({ type: 'simulator.go', speed: at, to: null })
}

export const stand = (): void => say({ type: 'simulator.stand' })
export const step = (): void => say({ type: 'simulator.step' })

/** It is another run from here on than the address promised. */
export const act = (deed: Deed, node: string): void => {
  promised = null
  replay.value = null
  say({ type: 'simulator.do', deed, node })
}

const hear = (message: FromSimulator): void => {
  if (message.number !== number) return
  newest = message
  for (const record of message.records) remember(record)
  trim(message.scene.now)
  const wait = drawnAt + DRAWN_EVERY_MS - performance.now()
  if (message.isGoing && wait > 0) drawing ??= setTimeout(draw, wait)
  else draw()
}

const draw = (): void => {
  clearTimeout(drawing)
  drawing = undefined
  drawnAt = performance.now()
  seen.value = newest
  if (newest !== null && promised !== null && isThere(promised, newest)) {
    replay.value = newest.scene.digest === promised.digest ? 'same' : 'other'
    promised = null
  }
  showAddress()
}

/** Also when the view is opened again while the run stands. */
export const showAddress = (): void => {
  if (newest !== null && location.hash.startsWith('#/simulator')) window.history.replaceState(null, '', addressNow(newest))
}

const isThere = ({ to }: Promised, { isGoing, scene }: FromSimulator): boolean =>
  !isGoing && (to === null ? scene.isEnded : Math.ceil(scene.now) === to)

/** While it goes, only what was done; when it stands, how far it came and what its digest is. */
const addressNow = ({ run, isGoing, scene }: FromSimulator): string => {
  if (isGoing) return addressOf({ ...run, to: null, digest: null })
  return addressOf({ ...run, to: scene.phase === 'ended' ? null : Math.ceil(scene.now), digest: scene.digest })
}

const remember = (record: ActorRecord): void => {
  const { kind, node, actor, event } = record
  if (isHistory(record)) told.push(record)
  if (kind === 'state' && actor.startsWith('raft/')) states.push(record)
  else if (actor.startsWith('raft/') || kind === 'batch') traffic.push(record)
  // Whoever follows has a new term, and changes no state of its chart.
  if (kind === 'note' && actor.startsWith('raft/') && event.startsWith('follows ')) {
    states.push({ ...record, kind: 'state', event: 'follower' })
  }
  const gone = node === 'sim' ? /^(n\d+) (?:is killed|loses power|ended by itself)/.exec(event)?.[1] : undefined
  if (gone !== undefined) endLanes(gone, record)
}

/** Whoever dies says nothing of it. */
const endLanes = (node: string, { at, seq }: ActorRecord): void => {
  const actors = new Set(states.filter((one) => one.node === node).map(({ actor }) => actor))
  for (const actor of actors) states.push({ at, seq, node, actor, kind: 'state', event: GONE })
}

export const GONE = 'gone'

const trim = (now: number): void => {
  if (told.length > HISTORY_RECORDS_MAX * 1.25) told = told.slice(-HISTORY_RECORDS_MAX)
  if (states.length > TRAFFIC_RECORDS_MAX) states = states.slice(-HISTORY_RECORDS_MAX)
  if ((traffic[0]?.at ?? now) < now - 2 * TRAFFIC_MS || traffic.length > TRAFFIC_RECORDS_MAX * 1.25) {
    traffic = traffic.slice(-TRAFFIC_RECORDS_MAX).filter(({ at }) => at >= now - TRAFFIC_MS)
  }
}
