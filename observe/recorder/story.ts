/**
 * A recording in words: a line for each thing that happened, and one line where the same happens to many actors of a node at once, as
 * when a node that led ten shards dies.
 */

import type { ActorRecord } from './record.ts'

/** So near, and in the same words, it is one event. */
const TOGETHER_MS = 150

export interface StoryLine {
  readonly at: number
  readonly node: string
  readonly who: string
  readonly what: string
}

interface Told extends StoryLine {
  readonly actors: string[]
}

export const storyOf = (records: readonly ActorRecord[]): readonly StoryLine[] => {
  const told: Told[] = []
  const open = new Map<string, Told>()
  for (const record of records) {
    const what = wordsOf(record)
    const alike = `${record.node} ${record.actor.split('/')[0] ?? ''} ${record.kind} ${what}`
    const known = open.get(alike)
    if (known !== undefined && record.at - known.at <= TOGETHER_MS && known.actors.length > 0 && record.actor.includes('/')) {
      if (!known.actors.includes(record.actor)) known.actors.push(record.actor)
      continue
    }
    const line: Told = { at: record.at, node: record.node, who: record.actor, what, actors: [record.actor] }
    told.push(line)
    open.set(alike, line)
  }
  return told.map(({ at, node, what, actors }) => ({ at, node, who: whoOf(actors), what }))
}

/** `raft/3`, or `raft/0 1 5`. */
const whoOf = (actors: readonly string[]): string => {
  const [first = '', ...rest] = actors.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  return [first, ...rest.map((actor) => actor.slice(actor.indexOf('/') + 1))].join(' ')
}

const wordsOf = (record: ActorRecord): string => {
  switch (record.kind) {
    case 'state': return stateWords(record)
    case 'note': return withTerm(record.event, record)
    case 'batch': return `${record.event}${amounts(record)}`
    case 'phase': return `${record.event}${amounts(record)}${ofTrace(record)}`
    case 'send': return `sends ${record.event} to ${record.peer ?? '?'}${ofTrace(record)}`
    case 'receive': return `hears ${record.event} from ${record.peer ?? '?'}${ofTrace(record)}`
  }
  record.kind satisfies never
  return record.event
}

const stateWords = (record: ActorRecord): string => {
  const { actor, event, because, detail } = record
  const machine = actor.split('/')[0] ?? ''
  const words = stateTexts[machine]?.[event] ?? `is ${event}`
  const reason = machine === 'raft' && typeof detail?.['reason'] === 'string' && detail['reason'] !== '' ? detail['reason'] : because ?? ''
  // A node's states follow one another; what told it to go on is a name of its chart, and says no more.
  return `${withTerm(words, record)}${machine === 'node' || plainReasons.has(reason) ? '' : `: ${reason}`}`
}

/** They say no more than the state itself. */
const plainReasons: ReadonlySet<string> = new Set(['', 'start', 'raft.roleChanged'])

const stateTexts: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  node: {
    booting: 'starts', recovering: 'reads its log', joining: 'joins', serving: 'serves', stopped: 'has stopped', failed: 'has failed',
    'draining.handingOver': 'hands its leaderships over', 'draining.closing': 'closes',
  },
  raft: {
    follower: 'follows', preCandidate: 'asks whether it could win an election', candidate: 'stands for election',
    'leader.settling': 'is elected', 'leader.serving': 'leads', learner: 'learns', halted: 'takes no more part',
  },
  shard: {
    recovering: 'recovers', following: 'follows', 'leading.settling': 'is about to serve', 'leading.serving': 'serves', removed: 'is gone',
  },
}

const withTerm = (text: string, { term }: ActorRecord): string => (term === undefined || term === 0 ? text : `${text}, term ${term}`)

const amounts = ({ micros, bytes, detail }: ActorRecord): string => {
  const parts = [
    ...(typeof detail?.['operations'] === 'number' ? [`${detail['operations']} operations`] : []),
    ...(typeof detail?.['records'] === 'number' ? [`${detail['records']} records`] : []),
    ...(bytes === undefined ? [] : [`${bytes} bytes`]),
    ...(micros === undefined ? [] : [`${(micros / 1_000).toFixed(2)} ms`]),
  ]
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}

const ofTrace = ({ trace }: ActorRecord): string => (trace === undefined ? '' : ` [${trace.slice(0, 8)}]`)
