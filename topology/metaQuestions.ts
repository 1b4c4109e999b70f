/**
 * Asks the meta group's leader something, from any node: whoever led it when it was last asked comes first, then the members in turn, until
 * one answers that leads, or says who does. Without an answer within `askedMax` attempts nobody knows what became of the question.
 */

import { node, record } from '../actors/topology/fields.ts'
import { nodeOf } from './ids.ts'
import type { Cancel, Clock } from '../actors/kernel/clock.ts'
import type { Check } from '../actors/topology/fields.ts'
import type { LiveMap } from './liveMap.ts'
import type { NodeId } from './ids.ts'
import type { TopologyDesk, TopologyRequest } from './topologyDesk.ts'

const PAUSE_MS = 250

export interface MetaQuestion<T> {
  readonly request: TopologyRequest
  readonly askedMax: number
  /** What a leader answers. */
  readonly answerOf: Check<T>
}

export interface MetaQuestions {
  /** `done` with undefined when nobody who could know answered. */
  readonly ask: <T>(question: MetaQuestion<T>, done: (answer: T | undefined) => void) => void
  readonly stop: () => void
}

export interface MetaQuestionsOptions {
  readonly live: Pick<LiveMap, 'state'>
  readonly clock: Clock
  readonly ask: TopologyDesk['ask']
}

/** Not the leader; empty when it knows of none. */
export interface Redirect {
  readonly leader: NodeId | ''
}

export const createMetaQuestions = ({ live, clock, ask }: MetaQuestionsOptions): MetaQuestions => {
  const pauses = new Set<Cancel>()
  let isStopped = false
  let lastLeader: NodeId | '' = ''

  const later = (next: () => void): void => {
    const cancel = clock.after(PAUSE_MS, () => {
      pauses.delete(cancel)
      if (!isStopped) next()
    })
    pauses.add(cancel)
  }
  const attempt = <T>(question: MetaQuestion<T>, asked: number, hint: NodeId | '', done: (answer: T | undefined) => void): void => {
    const members = live.state().meta.replicas.map(nodeOf)
    const to = hint === '' ? members[asked % members.length] : hint
    if (asked === question.askedMax || to === undefined) {
      done(undefined)
      return
    }
    ask(to, question.request, (value) => {
      const answer = question.answerOf(value)
      const leader = redirected(value)?.leader ?? ''
      lastLeader = answer === undefined ? leader : to
      if (answer !== undefined) done(answer)
      else if (leader !== '' && leader !== to) attempt(question, asked + 1, leader, done)
      else later(() => attempt(question, asked + 1, '', done))
    })
  }
  return {
    ask: (question, done) => attempt(question, 0, lastLeader, done),
    stop: () => {
      isStopped = true
      for (const cancel of pauses) cancel()
    },
  }
}

const redirected = record<Redirect>({ leader: (value) => (value === '' ? '' : node(value)) })
