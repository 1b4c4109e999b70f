/**
 * What a leader knows of one peer, and how it sends to it.
 *
 *              first answer                     needs what the log no longer has
 *   ┌── probe ─────────────▶ replicate            probe ──────────▶ snapshot
 *   │     ▲                      │                                     │
 *   │     └── rejected, silent, ─┘            installed, or the log    │
 *   │         presents itself                 reaches far enough ──────┴─▶ replicate
 *
 * probe      one append at a time, until it is known where the logs agree
 * replicate  appends are sent ahead of their answers, as many as the window allows (thesis 10.2.2, pipelining)
 * snapshot   no appends; chunks of the snapshot instead (snapshotTransfer.ts)
 *
 * Invariant: matchIndex only grows within a term, and nextIndex is above it.
 * Shape after etcd-io/raft's tracker; here a silent peer gets an empty probe, since its node may be gone for hours.
 */

import { assert } from '../kernel/assert.ts'
import { bytesOf } from './log.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { RaftLimits } from './limits.ts'
import type { Entry, Index, Term } from './protocol.ts'

export interface SnapshotTransfer {
  readonly index: Index
  readonly term: Term
  readonly totalBytes: number
  /** Bytes asked from the disk, and on their way. */
  requestedBytes: number
  /** Bytes the peer has, contiguous from 0. */
  acknowledgedBytes: number
  /** Where the transfer went back after a gap: once per position, or every duplicate would send a window again. */
  rewoundBytes: number
  /** Its last byte was asked for at least once. */
  wasSent: boolean
  /** Retries without an answer. */
  retries: number
  /** Retries that are let pass before anything leaves: the peer could not use the last one. */
  pause: number
  /** Chunks asked for and not yet acknowledged, in their order: where each ends. */
  asked: Asked[]
}

interface Asked {
  readonly endOffset: number
  readonly sentAt: number
}

interface InFlight {
  readonly lastIndex: Index
  readonly bytes: number
  readonly sentAt: number
}

export interface Progress {
  readonly id: ReplicaId
  state: 'probe' | 'replicate' | 'snapshot'
  matchIndex: Index
  nextIndex: Index
  /** Probe: an append is on its way and must be answered first. */
  isAwaitingProbe: boolean
  /** Probes in a row that were not answered. Answered heartbeats do not count: a peer with a slow disk has the entries already. */
  silentProbes: number
  inFlight: InFlight[]
  inFlightBytes: number
  /** Ticks since the peer last answered what is on its way, or since that was sent. */
  silentTicks: number
  transfer: SnapshotTransfer | null
  /** The last transfer that was given up for another although all of it had been sent: the peer may install it all the same. */
  earlier: Pick<SnapshotTransfer, 'index' | 'totalBytes'> | null
  /** Snapshots in a row that it found damaged: the more, the longer the pause before the next. */
  damagedSnapshots: number
  /** Bytes of the log that are kept for it at most, from the beginning of a transfer until it has caught up (retention.ts); 0: none. */
  keptBytesMax: number
  /** The newest confirmation round this peer has answered, and when that round was sent (never when the answer came). */
  ackedRound: number
  contactSentAt: number
  /** As it said last. Of a learner also from its start, or a snapshot that it installed, until it has said whether its state is loaded. */
  isDiskStalled: boolean
  /** A new replica: what it is sent is limited (allowance.ts). */
  isLearner: boolean
  /** Something waits for the allowance. */
  isHeldBack: boolean
  /** When the oldest left of what was answered since the last look (delays.ts); null: nothing was. */
  answeredSentAt: number | null
  /** The fastest answer so far, in milliseconds. */
  fastestMs: number
  /** Bytes of entries and whole snapshots that it has acknowledged to this leader. */
  deliveredBytes: number
}

export const createProgress = (id: ReplicaId, nextIndex: Index): Progress => ({
  id,
  state: 'probe',
  matchIndex: 0,
  nextIndex,
  isAwaitingProbe: false,
  silentProbes: 0,
  inFlight: [],
  inFlightBytes: 0,
  silentTicks: 0,
  transfer: null,
  earlier: null,
  damagedSnapshots: 0,
  keptBytesMax: 0,
  ackedRound: 0,
  contactSentAt: Number.NEGATIVE_INFINITY,
  isDiskStalled: false,
  isLearner: false,
  isHeldBack: false,
  answeredSentAt: null,
  fastestMs: Number.POSITIVE_INFINITY,
  deliveredBytes: 0,
})

export const becomeProbe = (progress: Progress, nextIndex: Index): void => {
  assert(nextIndex > progress.matchIndex, `${progress.id}: next index ${nextIndex} is above match ${progress.matchIndex}`)
  enter(progress, 'probe', nextIndex)
}

/** Keeps what the probe carried in flight: its answer may vouch for a part of it first. */
export const becomeReplicate = (progress: Progress): void => {
  const { inFlight, inFlightBytes } = progress
  const sentIndex = progress.state === 'probe' ? inFlight.at(-1)?.lastIndex ?? 0 : 0
  enter(progress, 'replicate', Math.max(progress.matchIndex, sentIndex) + 1)
  if (sentIndex === 0) return
  progress.inFlight = inFlight
  progress.inFlightBytes = inFlightBytes
  freeUpTo(progress, progress.matchIndex)
}

export const becomeSnapshot = (progress: Progress, transfer: SnapshotTransfer): void => {
  enter(progress, 'snapshot', progress.nextIndex)
  progress.transfer = transfer
}

const enter = (progress: Progress, state: Progress['state'], nextIndex: Index): void => {
  const { transfer } = progress
  if (transfer?.wasSent === true) progress.earlier = transfer
  progress.state = state
  progress.nextIndex = nextIndex
  progress.isAwaitingProbe = false
  progress.inFlight = []
  progress.inFlightBytes = 0
  progress.silentTicks = 0
  progress.transfer = null
}

export const canSend = (progress: Progress, limits: RaftLimits): boolean => {
  if (progress.state === 'probe') return !progress.isAwaitingProbe
  const bytesMax = progress.isLearner ? limits.learnerBytesInFlightMax : limits.bytesInFlightMax
  return progress.state === 'replicate' && progress.inFlight.length < limits.appendsInFlightMax && progress.inFlightBytes < bytesMax
}

/** An append with these entries is leaving, at `now` milliseconds. */
export const noteSent = (progress: Progress, entries: readonly Entry[], now: number): void => {
  if (progress.inFlight.length === 0) progress.silentTicks = 0
  const lastIndex = progress.nextIndex + entries.length - 1
  if (entries.length > 0) {
    let bytes = 0
    for (const entry of entries) bytes += bytesOf(entry)
    progress.inFlight.push({ lastIndex, bytes, sentAt: now })
    progress.inFlightBytes += bytes
  }
  if (progress.state === 'replicate') progress.nextIndex = lastIndex + 1
  else progress.isAwaitingProbe = true
}

/** The peer's log is durable and equal up to `matchIndex`. Answers come late, twice and out of order: match only grows. */
export const noteAccepted = (progress: Progress, matchIndex: Index): void => {
  const probedIndex = progress.nextIndex - 1
  progress.matchIndex = Math.max(progress.matchIndex, matchIndex)
  progress.silentTicks = 0
  progress.silentProbes = 0
  if (progress.state === 'probe' && matchIndex >= probedIndex) becomeReplicate(progress)
  freeUpTo(progress, progress.matchIndex)
  progress.nextIndex = Math.max(progress.nextIndex, progress.matchIndex + 1)
}

const freeUpTo = (progress: Progress, index: Index): void => {
  let oldest = progress.inFlight[0]
  while (oldest !== undefined && oldest.lastIndex <= index) {
    progress.inFlight.shift()
    progress.answeredSentAt ??= oldest.sentAt
    progress.inFlightBytes -= oldest.bytes
    progress.deliveredBytes += oldest.bytes
    oldest = progress.inFlight[0]
  }
}
