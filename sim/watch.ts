/**
 * Holds every invariant against every replica after every event, and against every message before it leaves. The
 * first problem stops the run.
 *
 * Cheap where nothing happened: only the node whose event ran is looked at, and of its replicas only those that
 * changed, but for what may change unseen.
 */

import type { openEnvelope } from '../bus/envelope.ts'
import { decodeFrame } from '../bus/codec/frame.ts'
import { senderOf } from '../bus/subjects.ts'
import { META_GROUP, nodeId } from '../topology/ids.ts'
import { createPlainLedger, createShardLedger } from './ledger.ts'
import { createAppliedIsDurable } from './invariants/appliedIsDurable.ts'
import { createBoundedQueues } from './invariants/boundedQueues.ts'
import { createCommittedForever } from './invariants/committedForever.ts'
import { createCurrentLogTime } from './invariants/currentLogTime.ts'
import { createDurableIsAnswered } from './invariants/durableIsAnswered.ts'
import { createDurableIsKept } from './invariants/durableIsKept.ts'
import { createEqualStates } from './invariants/equalStates.ts'
import { FRESH_READS, createFreshReads } from './invariants/freshReads.ts'
import { createGrowth } from './invariants/growth.ts'
import { createHonestLogTime } from './invariants/honestLogTime.ts'
import { createLeaderCompleteness } from './invariants/leaderCompleteness.ts'
import { createLogMatching } from './invariants/logMatching.ts'
import { createOneLeader } from './invariants/oneLeader.ts'
import { createOneOwner } from './invariants/oneOwner.ts'
import { createOneVote } from './invariants/oneVote.ts'
import { createOrderedMembers } from './invariants/orderedMembers.ts'
import { createPromisesKept } from './invariants/promisesKept.ts'
import { createQuorumContact } from './invariants/quorumContact.ts'
import { createSoundAreTrusted } from './invariants/soundAreTrusted.ts'
import { SYNCED_ONCE, checkSyncedOnce } from './invariants/syncedOnce.ts'
import { createMapLedger } from './mapLedger.ts'
import { createMapWatch } from './mapWatch.ts'
import { metaViewOf, viewOf } from './replicaView.ts'
import { createWires } from './wires.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { Genesis } from '../actors/wal/protocol.ts'
import type { GroupId, ReplicaId } from '../topology/ids.ts'
import type { Journeys } from '../topology/journeys.ts'
import type { Process } from './clock.ts'
import type { Machine } from './cluster.ts'
import type { QueueLimits } from './invariants/boundedQueues.ts'
import type { GroupLedger, LedgerObserver, ShardLedger } from './ledger.ts'
import type { Invariant, ReplicaView, SentMail } from './view.ts'

export interface Violation {
  readonly invariant: string
  readonly text: string
}

export interface WatchInput {
  /** Reads what nodes say to each other, in every layout that they use. */
  readonly openEnvelope: typeof openEnvelope
  readonly shards: number
  /** Asked for when something has happened: the cluster is made after this. */
  readonly genesis: () => Genesis
  /** How long a leader may go without hearing a quorum. */
  readonly silenceMsMax: number
  /** By which the monotonic clocks of nodes may differ from virtual time. */
  readonly clockRateMax: number
  readonly queueLimits: QueueLimits
  readonly now: () => number
  readonly machineOf: (name: string) => Machine | undefined
  readonly onViolation: (violation: Violation) => void
  readonly onMail?: (mail: SentMail) => void
  /** A replica of a shard changed, or is seen for the first time. */
  readonly onView?: (view: ReplicaView, before: ReplicaView | undefined) => void
  readonly ledgerObserver?: LedgerObserver
  /** The meta group has committed another cluster map. */
  readonly onMap?: (state: ClusterState, before: ClusterState) => void
}

export interface Watch {
  readonly ledgers: readonly ShardLedger[]
  readonly ledgerOf: (group: GroupId) => GroupLedger | undefined
  /** Of all the cluster maps that were ever committed. */
  readonly newestMap: () => ClusterState
  readonly afterEvent: (process: Process | null) => void
  readonly onSent: (process: Process, subject: string, data: Uint8Array) => void
  readonly onHeard: (process: Process, subject: string) => void
  /** What hears the actors of a node's next life. */
  readonly wiresOf: (node: string) => Journeys
  /** The node starts to run, or runs again after a pause: silence counts from now. */
  readonly onRunning: (name: string) => void
}

export const createWatch = (input: WatchInput): Watch => {
  const { now } = input
  const metaLedger = createPlainLedger()
  const ledgers = Array.from({ length: input.shards }, (_, shard) => createShardLedger(shard, input.ledgerObserver))
  const contact = createContact(now)
  const maps = createMapLedger(input.genesis, input.onMap)
  const mapWatch = createMapWatch(maps)
  const invariants: readonly Invariant[] = [
    createOneLeader(), createOneVote(), createLogMatching(), createPromisesKept(), createLeaderCompleteness(),
    createCommittedForever(now), createGrowth(), createAppliedIsDurable(), createEqualStates(), createOneOwner(),
    createOrderedMembers(maps), createSoundAreTrusted(), createDurableIsKept(),
  ]
  const durableIsAnswered = createDurableIsAnswered()
  /** Facts about time, the disk and volatile queues change without anything else changing. */
  const always: readonly Invariant[] = [
    createQuorumContact({ now, silenceMs: contact.silenceMs, silenceMsMax: input.silenceMsMax }), createBoundedQueues(input.queueLimits),
    durableIsAnswered, createHonestLogTime(input.clockRateMax), createCurrentLogTime(now, input.clockRateMax),
  ]
  const [starting, changed, hearing] = [
    [...invariants, ...always].filter(({ checkStart }) => checkStart !== undefined), invariants.filter(({ check }) => check !== undefined),
    invariants.filter(({ checkMail }) => checkMail !== undefined),
  ]
  const past = new Map<ReplicaId, Map<number, ReplicaView>>()
  const report = (invariant: Invariant, text: string | null | undefined): void => {
    if (text !== null && text !== undefined) input.onViolation({ invariant: invariant.name, text })
  }

  const lookAt = (view: ReplicaView, ledger: GroupLedger): void => {
    const seen = past.get(view.id) ?? new Map<number, ReplicaView>()
    past.set(view.id, seen)
    const before = seen.get(view.shard)
    seen.set(view.shard, view)
    if (before?.life !== view.life) {
      for (const invariant of starting) report(invariant, invariant.checkStart?.(view, ledger, before))
    }
    for (const invariant of always) report(invariant, invariant.check?.(view, ledger))
    if (before !== undefined && isUnchanged(before, view)) return
    if (view.shard !== META_GROUP) input.onView?.(view, before)
    for (const invariant of changed) report(invariant, invariant.check?.(view, ledger))
  }
  const wiresOf = (node: string): Journeys => {
    const freshReads = createFreshReads(node, (shard) => ledgers[shard]?.lines.length ?? 0)
    return createWires({
      ...durableIsAnswered.begin(node),
      asks: freshReads.asks,
      answers: (shard, event) => {
        const stale = freshReads.answers(shard, event)
        if (stale !== null) input.onViolation({ invariant: FRESH_READS, text: stale })
      },
    })
  }
  return {
    ledgers,
    ledgerOf: (group) => (group === META_GROUP ? metaLedger : ledgers[group]),
    newestMap: maps.newest,
    afterEvent: (process) => {
      if (process === null || process.state === 'dead') return
      const machine = input.machineOf(process.name)
      const parts = machine?.process === process ? machine.node?.parts() : null
      if (machine === undefined || parts === null || parts === undefined) return
      const retry = checkSyncedOnce(machine)
      if (retry !== null) input.onViolation({ invariant: SYNCED_ONCE, text: retry })
      const meta = parts.host.meta()
      const status = meta?.actor.status()
      const wrong = mapWatch({ node: machine.id, parts, status })
      if (wrong !== null) input.onViolation(wrong)
      const backlog = parts.wal.backlogBytes()
      for (const replica of parts.host.all()) {
        const ledger = ledgers[replica.shard]
        if (ledger !== undefined) lookAt(viewOf({ machine, replica, walBacklogBytes: backlog }), ledger)
      }
      if (meta !== undefined && status !== undefined) lookAt(metaViewOf({ machine, meta, status, walBacklogBytes: backlog }), metaLedger)
    },
    onSent: (_process, subject, data) => {
      for (const mail of mailIn(subject, data, input.openEnvelope)) {
        input.onMail?.(mail)
        for (const invariant of hearing) report(invariant, invariant.checkMail?.(mail))
      }
    },
    onHeard: (process, subject) => {
      if (isFrame(subject)) contact.heard(process.name, senderOf(subject))
    },
    wiresOf,
    onRunning: contact.running,
  }
}

const isUnchanged = (a: ReplicaView, b: ReplicaView): boolean =>
  a.life === b.life && a.term === b.term && a.role === b.role && a.lastIndex === b.lastIndex && a.lastTerm === b.lastTerm
  && a.commitIndex === b.commitIndex && a.appliedIndex === b.appliedIndex && a.snapshotIndex === b.snapshotIndex
  && a.isServing === b.isServing && (b.role !== 'leader' || hasSameMatches(a.matchIndex, b.matchIndex))

const hasSameMatches = (a: ReplicaView['matchIndex'], b: ReplicaView['matchIndex']): boolean => {
  if (a.size !== b.size) return false
  for (const [peer, index] of a) if (b.get(peer) !== index) return false
  return true
}

/** `skv.<cluster>.node.<to>.<from>`. Asked of every message, hence without splitting it. */
const isFrame = (subject: string): boolean =>
  subject.startsWith('skv.') && subject.startsWith('.node.', subject.indexOf('.', 'skv.'.length))

const mailIn = (subject: string, data: Uint8Array, open: typeof openEnvelope): SentMail[] => {
  if (!isFrame(subject)) return []
  const [, , , to = '', from = ''] = subject.split('.')
  const opened = open(data)
  if (!opened.ok) return []
  const frame = decodeFrame(opened.body, { from: nodeId(from), self: nodeId(to) })
  if (!frame.ok) return []
  return frame.messages.flatMap(({ to: address, message }) => (message.type === 'raft'
    ? [{ shard: Number(address.slice(address.indexOf('/') + 1)), from: message.from, to: message.to, message: message.message }]
    : []))
}

interface Contact {
  readonly heard: (listener: string, speaker: string) => void
  readonly running: (listener: string) => void
  readonly silenceMs: (listener: string, speaker: string) => number
}

const createContact = (now: () => number): Contact => {
  const heardAt = new Map<string, Map<string, number>>()
  const runningSince = new Map<string, number>()
  return {
    heard: (listener, speaker) => {
      const ofListener = heardAt.get(listener)
      if (ofListener === undefined) heardAt.set(listener, new Map([[speaker, now()]]))
      else ofListener.set(speaker, now())
    },
    running: (listener) => { runningSince.set(listener, now()) },
    silenceMs: (listener, speaker) => now() - Math.max(heardAt.get(listener)?.get(speaker) ?? 0, runningSince.get(listener) ?? 0),
  }
}
