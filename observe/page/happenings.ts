/**
 * The history of a cluster in words: what recordings tell, and what the meta group decided, as one list, newest first.
 *
 * An election is told once, by its winner, with the reason for which it stood; who merely follows says nothing new. Elections that one node
 * wins in a moment for the same reason are one line: a node that dies while it leads ten shards is one story, not ten.
 */

import { storyOf } from '../recorder/story.ts'
import type { EventsAnswer } from '../../gateway/admin/views.ts'
import type { ActorRecord } from '../recorder/record.ts'

export type Topic = 'elections' | 'nodes' | 'changes' | 'other'

export interface Happening {
  readonly at: number
  readonly topic: Topic
  readonly who: string
  readonly what: string
}

/** So near, and for the same reason, they are one event. */
const TOGETHER_MS = 3_000
const SERVES = /^serves as leader/

/** What people want to know afterwards; the rest is traffic. */
export const isHistory = ({ kind, actor, event }: ActorRecord): boolean =>
  (kind === 'note' && !event.startsWith('follows '))
  || (kind === 'state' && (actor === 'node' || (actor.startsWith('raft/') && /^(?:preCandidate|candidate|halted)/.test(event))))

export const happeningsOf = (records: readonly ActorRecord[], events: EventsAnswer['events']): readonly Happening[] => {
  const history = records.filter(isHistory)
  // What the meta group decided is told by itself, with who asked for it; elections below.
  const told = history.filter(({ actor, kind }) => !(actor === 'topology' && kind === 'note') && !actor.startsWith('raft/'))
  const halts = history.filter(({ actor, event }) =>
    actor.startsWith('raft/') && /^(?:halted|is quarantined|wrote|took|sent|installed)/.test(event))
  return [
    ...storyOf([...told, ...halts].toSorted((a, b) => a.at - b.at)).map(({ at, node, who, what }): Happening =>
      ({ at, topic: topicOf(who), who: who === 'node' ? node : `${who} on ${node}`, what })),
    ...electionsIn(history),
    ...events.map(({ at, by, what, epoch }): Happening =>
      ({ at, topic: 'changes', who: by === '' ? 'the cluster' : by, what: `${what} (epoch ${epoch})` })),
  ].toSorted((a, b) => b.at - a.at)
}

interface Election {
  readonly at: number
  readonly node: string
  readonly reason: string
  readonly groups: { readonly name: string; readonly term: number }[]
}

const electionsIn = (history: readonly ActorRecord[]): readonly Happening[] => {
  const reasons = new Map<string, string>()
  const elections: Election[] = []
  for (const record of history.filter(({ actor }) => actor.startsWith('raft/')).toSorted((a, b) => a.at - b.at)) {
    const { at, node, actor, event, term = 0 } = record
    const key = `${node} ${actor}`
    const reason = record.detail?.['reason']
    // The pre-candidate knows why; that a quorum would vote for it says nothing more.
    if (event === 'preCandidate' || (event === 'candidate' && !reasons.has(key))) reasons.set(key, typeof reason === 'string' ? reason : '')
    if (!SERVES.test(event)) continue
    const why = reasons.get(key) ?? ''
    reasons.delete(key)
    const known = elections.findLast((one) => one.node === node && one.reason === why && at - one.at <= TOGETHER_MS)
    const group = { name: actor.split('/')[1] ?? '', term }
    if (known === undefined) elections.push({ at, node, reason: why, groups: [group] })
    else known.groups.push(group)
  }
  return elections.map(({ at, node, reason, groups }): Happening => ({
    at, topic: 'elections', who: node, what: `leads ${groupWords(groups)}${reason === '' ? '' : `: ${reason}`}`,
  }))
}

const groupWords = (groups: Election['groups']): string => {
  const shards = groups.filter(({ name }) => name !== 'meta').map(({ name }) => Number(name)).sort((a, b) => a - b)
  const terms = new Set(groups.map(({ term }) => term))
  const [term = 0] = terms
  const parts = [
    ...(groups.some(({ name }) => name === 'meta') ? ['the meta group'] : []),
    ...(shards.length === 0 ? [] : [`${shards.length === 1 ? 'shard' : 'shards'} ${shards.join(', ')}`]),
  ]
  return `${parts.join(' and ')}${terms.size === 1 ? ` in term ${term}` : ''}`
}

const topicOf = (who: string): Topic => {
  if (who.startsWith('gossip') || who.startsWith('node')) return 'nodes'
  return who.startsWith('topology') ? 'changes' : 'other'
}
