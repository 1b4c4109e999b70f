/**
 * What `shardkv doctor` goes by: two rounds of reports from all nodes, a second apart, and what the broker lets this user do.
 *
 * The probes change nothing: a read of a key that is not there, subscriptions, and one message on an internal subject of a node that
 * does not exist, which nobody hears. The broker answers what it denies before the next pong, so a flush tells when all is known.
 */

import { inboxOf } from '../broker.ts'
import { sleep } from '../io.ts'
import { withoutControls } from '../valueText.ts'
import { collectTimedReports } from '../status/collect.ts'
import {
  changedSubject, nodeSubject, nodeWildcard, nodesInbox, requestSubject, serviceWildcard, spanningSubject,
} from '../../bus/subjects.ts'
import { nodeId } from '../../topology/ids.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { Bus, RequestFailure } from '../../bus/port.ts'
import type { ClusterId } from '../../topology/ids.ts'
import type { TimedReport } from '../status/collect.ts'

export interface Evidence {
  readonly prefix: string
  readonly broker: { readonly url: string; readonly version: string }
  readonly roundTripMs: number
  /** Whether this user gave a name to enter the broker. */
  readonly hasUser: boolean
  readonly first: readonly TimedReport[]
  readonly second: readonly TimedReport[]
  readonly access: Access | null
}

/** What the broker lets this user do. */
export interface Access {
  /** The answer to reading a key that is not there: `NOT_FOUND` when all is well. */
  readonly read: string
  /** `OK` when a request that no shard owns is answered. */
  readonly help: string
  readonly mayHearChanges: boolean
  readonly mayAskServices: boolean
  /** Speaking and listening as a node: a client should not. */
  readonly maySpeakAsNode: boolean
  readonly mayHearNodes: boolean
  /** Listening where nodes hear each other's answers: permissions of before ADR 13 keep nobody from there. */
  readonly mayHearAnswers: boolean
}

export interface Examination {
  readonly bus: Bus
  readonly clock: Clock
  readonly prefix: string
  readonly hasUser: boolean
  readonly newId: () => string
  readonly inboxPrefix: string
}

const BETWEEN_ROUNDS_MS = 1_000
const PROBE_MS_MAX = 2_000
const PINGS = 8
/** The client library tells of a denial a few turns after the pong that follows it. */
const DENIAL_MS = 50
/** Nobody's name. */
const NOBODY = nodeId('doctor-probe')
/** What "shardkv nats-config" knows: nodes with a prefix of their own have permissions that somebody wrote by hand. */
const INBOX = '_INBOX'

export const gatherEvidence = async (examination: Examination): Promise<Evidence> => {
  const { bus, clock, prefix, hasUser, newId } = examination
  const collect = (): Promise<readonly TimedReport[]> =>
    collectTimedReports({ bus, clock, prefix, inbox: inboxOf(examination, newId()) })
  const roundTripMs = await measureRoundTrip(bus, clock)
  const first = await collect()
  const cluster = first[0]?.report.cluster
  const access = cluster === undefined ? null : await probeAccess(examination, cluster)
  await sleep(clock, BETWEEN_ROUNDS_MS)
  const second = await collect()
  return { prefix, broker: bus.status().server, roundTripMs, hasUser, first, second, access }
}

const probeAccess = async ({ bus, clock, prefix, newId }: Examination, cluster: ClusterId): Promise<Access> => {
  const probe = `doctor-${newId()}`
  const denied: string[] = []
  bus.onEvent((event) => {
    if (event.type === 'bus.permissionDenied') denied.push(`${event.operation} ${event.subject}`)
  })
  const read = requestSubject(prefix, 'get', probe)
  const changes = changedSubject(prefix, probe) ?? ''
  const services = serviceWildcard.replace('>', `PING.${probe}`)
  const speaking = nodeSubject(cluster, NOBODY, NOBODY)
  const hearing = nodeWildcard(cluster, NOBODY)
  const answersOfNodes = `${nodesInbox(INBOX)}.${probe}`
  const probes = [changes, hearing, answersOfNodes].map((subject) => bus.subscribe(subject, () => {}))
  for (const subject of [services, speaking]) bus.publish(subject, new Uint8Array(0))
  const answers = [read.ok ? read.subject : '', spanningSubject(prefix, 'help')].map((subject) => ask(bus, subject))
  await flushed(bus)
  await sleep(clock, DENIAL_MS)
  const [readStatus = '', help = ''] = await Promise.all(answers)
  for (const subscription of probes) subscription.unsubscribe()
  return {
    read: readStatus,
    help,
    mayHearChanges: !denied.includes(`subscribe ${changes}`),
    mayAskServices: !denied.includes(`publish ${services}`),
    maySpeakAsNode: !denied.includes(`publish ${speaking}`),
    mayHearNodes: !denied.includes(`subscribe ${hearing}`),
    mayHearAnswers: !denied.includes(`subscribe ${answersOfNodes}`),
  }
}

/** `Kv-Status`, or why there was no answer. */
const ask = (bus: Bus, subject: string): Promise<string> => new Promise((resolve) => {
  bus.request(subject, new Uint8Array(0), { timeoutMs: PROBE_MS_MAX }, (failure: RequestFailure | null, answer) =>
    resolve(withoutControls(answer?.headers?.get('Kv-Status') ?? failure ?? 'no status')))
})

/** The best of a few: the others tell of this process, not of the way. */
const measureRoundTrip = async (bus: Bus, clock: Clock): Promise<number> => {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < PINGS; i += 1) {
    const askedAt = clock.now()
    await flushed(bus)
    best = Math.min(best, clock.now() - askedAt)
  }
  return best
}

const flushed = (bus: Bus): Promise<void> => new Promise((resolve) => { bus.flush(() => resolve()) })
