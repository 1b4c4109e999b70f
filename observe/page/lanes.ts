/**
 * A Raft group as swim lanes: for each member a band that says which role it had when, with the term, and marks for what it sent and
 * committed. Made of the records of one group between two moments.
 */

import { byName } from './picture.ts'
import type { ActorRecord } from '../recorder/record.ts'

export interface LaneBand {
  readonly from: number
  readonly to: number
  readonly state: string
  readonly term: number
  readonly because: string
}

export type MarkKind = 'append' | 'heartbeat' | 'vote' | 'commit' | 'proposal'

export interface LaneMark {
  readonly at: number
  readonly kind: MarkKind
}

export interface Lane {
  readonly node: string
  readonly bands: readonly LaneBand[]
  readonly marks: readonly LaneMark[]
}

export interface LaneWish {
  /** `raft/7`. */
  readonly actor: string
  readonly from: number
  readonly to: number
  /** What each member is now, for those of whom no change is recorded. */
  readonly now: readonly { readonly node: string; readonly state: string; readonly since: number; readonly term: number }[]
}

/** Of one lane: more can not be told apart. */
const MARKS_MAX = 400

export const lanesOf = (records: readonly ActorRecord[], { actor, from, to, now }: LaneWish): readonly Lane[] => {
  const shard = actor.split('/')[1] ?? ''
  const own = records.filter((record) => record.at <= to
    && (record.actor === actor || (record.actor === `shard/${shard}` && record.kind === 'batch')))
  const names = new Set([...own.map(({ node }) => node), ...now.map(({ node }) => node)])
  return [...names].sort(byName).map((node) => {
    const mine = own.filter((record) => record.node === node)
    const bands = bandsOf(mine, { from, to, last: now.find((one) => one.node === node) })
    const marks = mine.filter(({ at }) => at >= from).flatMap(markOf)
    return { node, bands, marks: thinned(marks) }
  })
}

interface Change extends Pick<LaneBand, 'state' | 'term' | 'because'> {
  readonly at: number
}

const bandsOf = (
  records: readonly ActorRecord[], { from, to, last }: { from: number; to: number; last: LaneWish['now'][number] | undefined },
): readonly LaneBand[] => {
  const changes: Change[] = []
  for (const { at, kind, event, term = 0, because = '', detail } of records.toSorted((a, b) => a.at - b.at)) {
    const before = changes.at(-1)
    const reason = detail?.['reason']
    if (kind === 'state') changes.push({ at, state: event, term, because: typeof reason === 'string' && reason !== '' ? reason : because })
    // A member that goes on following in the next term changes no state, but notes whom it follows.
    else if (kind === 'note' && before !== undefined && term > before.term) changes.push({ ...before, at, term, because: event })
  }
  const latest = changes.at(-1)
  if (last !== undefined && last.since <= to && (latest === undefined || last.since > latest.at)) {
    changes.push({ at: last.since, state: last.state, term: last.term, because: '' })
  } else if (last !== undefined && latest !== undefined && last.state === latest.state && last.term > latest.term) {
    changes.splice(-1, 1, { ...latest, term: last.term })
  }
  return changes.flatMap(({ at, ...change }, i) => {
    const end = Math.min(changes[i + 1]?.at ?? to, to)
    return end <= from || at >= to ? [] : [{ ...change, from: Math.max(at, from), to: end }]
  })
}

const markOf = ({ at, kind, event }: ActorRecord): readonly LaneMark[] => {
  if (kind === 'batch' && event === 'proposal') return [{ at, kind: 'proposal' }]
  if (kind === 'phase' && event === 'commit') return [{ at, kind: 'commit' }]
  if (kind !== 'send') return []
  if (event === 'raft.append') return [{ at, kind: 'append' }]
  if (event === 'raft.heartbeat') return [{ at, kind: 'heartbeat' }]
  return /Vote/.test(event) ? [{ at, kind: 'vote' }] : []
}

const thinned = (marks: readonly LaneMark[]): readonly LaneMark[] => {
  const step = Math.ceil(marks.length / MARKS_MAX)
  return step <= 1 ? marks : marks.filter((_, i) => i % step === 0)
}
