/**
 * A node's recorder: numbers what its actors tell, keeps it in two rings, and hands it to whoever listens.
 *
 *   story     states and notes                      a quarter: they are few, and reach back for hours or days
 *   traffic   batches, messages, phases             the rest: seconds to minutes of a busy node
 *
 * In one ring, a second of heavy traffic would push out the election that explains it. Connections change their states with
 * the traffic, so those count as traffic.
 *
 * It also remembers the state that each living actor is in, since every change passes through here.
 */

import { bySeq } from './bySeq.ts'
import { isStory } from './record.ts'
import { createRing } from './ring.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { Happening, Recorder } from '../../actors/kernel/recorder.ts'
import type { ActorRecord } from './record.ts'
import type { Overwritten } from './gaps.ts'
import type { Entry, Ring } from './ring.ts'

/** Of both rings of a node. */
export const RING_BYTES_MAX = 16 * 1_024 * 1_024
/** Packed as they are, four times as many batches would fit; but a recording of three nodes is one that the Observatory takes whole. */
export const TRAFFIC_RECORDS_MAX = 100_000
const STORY_SHARE = 0.25
/** The wall clock is read again where it and the monotonic clock have come apart by this much: it was set, or the machine slept. */
const WALL_DRIFT_MS_MAX = 20

export interface ActorState {
  readonly actor: string
  readonly state: string
  readonly since: number
}

export interface Reading {
  /** Only records with a higher number; 0: from the oldest. */
  readonly after: number
}

export interface RecorderFigures {
  readonly seq: number
  readonly bytes: number
  readonly dropped: number
  readonly listeners: number
}

export interface NodeRecorder extends Recorder {
  readonly node: string
  /** Milliseconds since 1970 by the node's clock. */
  readonly begunAt: number
  /** In the order of their numbers. Not to be held on to across turns. */
  readonly read: (reading: Reading) => IterableIterator<ActorRecord>
  readonly states: () => readonly ActorState[]
  /** Called with each record as it is made, until cancelled. */
  readonly listen: (listener: (record: ActorRecord) => void) => () => void
  /** While somebody wants every message. */
  readonly setDetailed: (isWanted: boolean) => void
  readonly figures: () => RecorderFigures
  readonly overwritten: () => Overwritten
}

export interface NodeRecorderOptions {
  readonly node: string
  readonly clock: Pick<Clock, 'now' | 'wall'>
  readonly ringBytesMax?: number
}

export const createNodeRecorder = ({ node, clock, ringBytesMax = RING_BYTES_MAX }: NodeRecorderOptions): NodeRecorder => {
  const story = createRing(ringBytesMax * STORY_SHARE)
  const traffic = createRing(ringBytesMax * (1 - STORY_SHARE), TRAFFIC_RECORDS_MAX)
  const states = new Map<string, ActorState>()
  const timeOf = createTimestamps(clock)
  let listeners: readonly ((record: ActorRecord) => void)[] = []
  let isDetailed = false
  let seq = 0

  const noteState = (what: Happening, at: number): void => {
    states.set(what.actor, { actor: what.actor, state: what.event, since: at })
  }
  return {
    node,
    begunAt: timeOf(),
    record: (what) => {
      const at = timeOf()
      seq += 1
      const entry: Entry = { at, seq, what }
      if (isStory(what)) story.push(entry)
      else traffic.push(entry)
      if (what.kind === 'state') noteState(what, at)
      if (listeners.length > 0) tell(listeners, recordIn(node, entry))
    },
    isDetailed: () => isDetailed,
    ended: (actor) => { states.delete(actor) },
    read: function* ({ after }) {
      for (const entry of bySeq(story.after(after), traffic.after(after))) yield recordIn(node, entry)
    },
    states: () => [...states.values()],
    listen: (listener) => {
      listeners = [...listeners, listener]
      return () => { listeners = listeners.filter((other) => other !== listener) }
    },
    setDetailed: (isWanted) => { isDetailed = isWanted },
    figures: () => ({
      seq, bytes: story.bytes() + traffic.bytes(), dropped: story.dropped() + traffic.dropped(), listeners: listeners.length,
    }),
    overwritten: () => ({ story: lastOverwritten(story), traffic: lastOverwritten(traffic) }),
  }
}

const lastOverwritten = (ring: Ring): Overwritten['story'] => {
  const entry = ring.newestDropped()
  return entry === undefined ? null : { seq: entry.seq, at: entry.at }
}

const recordIn = (node: string, { at, seq, what }: Entry): ActorRecord => ({ at, seq, node, ...what })

const tell = (listeners: readonly ((record: ActorRecord) => void)[], record: ActorRecord): void => {
  for (const listener of listeners) listener(record)
}

/** The wall clock with the resolution of the monotonic one; never goes back by itself. */
const createTimestamps = ({ now, wall }: NodeRecorderOptions['clock']): (() => number) => {
  let offset = wall() - now()
  let checkAt = now()
  return () => {
    const at = now()
    if (at >= checkAt) {
      checkAt = at + WALL_CHECK_MS
      const drift = wall() - (at + offset)
      if (Math.abs(drift) > WALL_DRIFT_MS_MAX) offset += drift
    }
    return Math.round((at + offset) * MICROS_PER_MS) / MICROS_PER_MS
  }
}

const WALL_CHECK_MS = 1_000
const MICROS_PER_MS = 1_000
