/**
 * What is known of the cluster at one moment, made of records alone: the state of every actor, and what nodes believe of each other.
 *
 *   applyRecord   one record later                     applyActors   what nodes say when asked (GET /v1/actors)
 *
 * Live, one world is changed in place as the feed arrives; over a recording, timeline.ts makes a world for any moment. A node that starts
 * again has no actors but those it starts, so its old ones go with its first state.
 */

import { isSession } from '../recorder/record.ts'
import type { ActorRecord } from '../recorder/record.ts'
import type { NodeActors } from '../recorder/wire.ts'

export interface ActorNow {
  readonly node: string
  readonly actor: string
  readonly state: string
  readonly since: number
  readonly because: string
  readonly term: number
}

export type Verdict = 'alive' | 'suspect' | 'dead' | 'left'

export interface NodeNow {
  readonly node: string
  readonly verdict: Verdict
  /** Who says so. */
  readonly by: string
  readonly verdictAt: number
  readonly heardAt: number
}

export interface World {
  at: number
  /** By `node actor`. */
  readonly actors: Map<string, ActorNow>
  readonly nodes: Map<string, NodeNow>
}

export const createWorld = (): World => ({ at: 0, actors: new Map(), nodes: new Map() })

export const cloneWorld = ({ at, actors, nodes }: World): World => ({ at, actors: new Map(actors), nodes: new Map(nodes) })

/** True when it changed what a picture of the cluster shows. */
export const applyRecord = (world: World, record: ActorRecord): boolean => {
  const { at, node } = record
  if (at > world.at) world.at = at
  const known = world.nodes.get(node)
  const isBack = known !== undefined && known.verdict !== 'alive' && at > known.verdictAt && record.actor === 'node'
  world.nodes.set(node, known === undefined || isBack
    ? { node, verdict: 'alive', by: node, verdictAt: at, heardAt: at }
    : { ...known, heardAt: at })
  if (record.kind === 'state') return applyState(world, record)
  if (record.kind === 'note' && record.actor === 'gossip') return applyVerdict(world, record)
  if (record.term !== undefined && inferLeader(world, record)) return true
  return known === undefined || isBack
}

/** What was heard in the meantime is newer than the answer. */
export const applyActors = (world: World, answers: readonly NodeActors[]): void => {
  for (const { node, at, actors, shortened } of answers) {
    const known = world.nodes.get(node)
    const isBack = known !== undefined && known.verdict !== 'alive' && at > known.verdictAt + RETURN_MS
    if (known === undefined || isBack) world.nodes.set(node, { node, verdict: 'alive', by: node, verdictAt: at, heardAt: at })
    for (const { actor, state, since, counters } of actors) {
      const key = keyOf(node, actor)
      const before = world.actors.get(key)
      const term = counters['term'] ?? before?.term ?? 0
      if (before === undefined || since > before.since) world.actors.set(key, { node, actor, state, since, because: '', term })
      else if (term > before.term) world.actors.set(key, { ...before, term })
    }
    const there = new Set(actors.map(({ actor }) => keyOf(node, actor)))
    for (const [key, one] of world.actors) {
      // An answer that leaves actors out does not say which replicas have ended. Sessions would pile up.
      const isToldOf = (shortened?.actors ?? 0) === 0 || isSession(one.actor)
      if (one.node === node && one.since < at && isToldOf && !there.has(key)) world.actors.delete(key)
    }
  }
}

/** An answer that was on its way when the verdict fell proves nothing. */
const RETURN_MS = 1_000

export const keyOf = (node: string, actor: string): string => `${node} ${actor}`

const applyState = ({ actors }: World, { at, node, actor, event, because = '', term, detail }: ActorRecord): boolean => {
  if (actor === 'node' && event === 'booting') {
    for (const [key, one] of actors) if (one.node === node) actors.delete(key)
  }
  const key = keyOf(node, actor)
  const before = actors.get(key)
  if (before !== undefined && before.since > at) return false
  const reason = detail?.['reason']
  actors.set(key, {
    node, actor, state: event, since: at, because: typeof reason === 'string' && reason !== '' ? reason : because,
    term: term ?? before?.term ?? 0,
  })
  return true
}

/** A recording may begin after an election: who proposes leads, and who is followed leads. What a leader says itself counts for more. */
const inferLeader = ({ actors }: World, record: ActorRecord): boolean => {
  const { at, node, actor, kind, event, shard, peer, term = 0 } = record
  const isProposal = kind === 'batch' && event === 'proposal'
  const leader = isProposal ? node : kind === 'note' && event.startsWith('follows ') ? peer : undefined
  if (leader === undefined || shard === undefined) return false
  const key = keyOf(leader, `raft/${shard}`)
  const known = actors.get(key)
  if (known !== undefined && (known.term >= term || known.since > at)) return false
  const because = `seen by ${actor} on ${node}`
  actors.set(key, { node: leader, actor: `raft/${shard}`, state: 'leader.serving', since: at, because, term })
  return true
}

const applyVerdict = ({ nodes }: World, { at, node, peer, detail }: ActorRecord): boolean => {
  const verdict = detail?.['is']
  if (peer === undefined || !isVerdict(verdict)) return false
  const known = nodes.get(peer)
  if (known !== undefined && known.verdictAt > at) return false
  nodes.set(peer, { node: peer, verdict, by: node, verdictAt: at, heardAt: known?.heardAt ?? 0 })
  return true
}

const isVerdict = (value: unknown): value is Verdict =>
  value === 'alive' || value === 'suspect' || value === 'dead' || value === 'left'
