/** Requests that the cluster remembers, by request id or session, and what became of those that nobody answered. */

import { OpCode } from '../../actors/shard/operation.ts'
import { shardOfKey } from '../history.ts'
import { identityOf } from '../ledger.ts'
import { identityOfOperation } from '../settle.ts'
import { defineSubject } from './mark.ts'
import type { HistoryOperation } from '../history.ts'
import type { CommittedStep } from './mark.ts'

export const requests = defineSubject('requests', [
  'a request id met its result',
  'a request id met its result after a change of leader',
  'a sequence of a session met its result',
  'a sequence of a session met its result after a change of leader',
  'a session was opened again',
  'a session was over, or had forgotten the sequence',
  'a session ended because nobody used it',
  'a write without an answer had taken effect',
  'a write without an answer took effect later',
  'a write without an answer never took effect',
  'a write was refused for certain',
  'nobody was there to answer',
  'an operation was refused because there were too many',
  'a compare-and-set won',
  'a compare-and-set lost',
  'a deleted key was written again',
  'a key expired',
  'a touch came too late',
], (hit, world) => {
  /** The term in which each remembered request was executed. */
  const terms = new Map<string, number>()
  const sessions = new Set<string>()
  const unanswered = new Set<string>()
  const deleted = new Set<string>()

  const onDuplicate = (identity: string, { step, entry }: CommittedStep): void => {
    const isLater = (terms.get(identity) ?? entry.term) < entry.term
    if (step.operation.session === undefined) {
      hit('a request id met its result')
      if (isLater) hit('a request id met its result after a change of leader')
      return
    }
    hit('a sequence of a session met its result')
    if (isLater) hit('a sequence of a session met its result after a change of leader')
  }
  const onExecuted = ({ operation, result }: CommittedStep['step']): void => {
    if (operation.code === OpCode.del && result?.status === 'OK') deleted.add(operation.key)
    if (operation.code === OpCode.put && result?.status === 'OK' && deleted.delete(operation.key)) hit('a deleted key was written again')
    if (operation.code === OpCode.touch && result?.status === 'NOT_FOUND') hit('a touch came too late')
  }
  const onOpened = ({ shard, step: { operation } }: CommittedStep): void => {
    if (operation.code !== OpCode.openSession || operation.session === undefined) return
    const session = `${shard} ${operation.session.client}`
    if (sessions.has(session)) hit('a session was opened again')
    sessions.add(session)
  }
  const onMutation = (operation: HistoryOperation): void => {
    const { outcome, key, call } = operation
    const { status } = { status: '', ...outcome }
    if (outcome.kind === 'failed') hit(status === 'NO_RESPONDERS' ? 'nobody was there to answer' : 'a write was refused for certain')
    if (outcome.kind === 'failed' && status === 'OVERLOADED') hit('an operation was refused because there were too many')
    if (outcome.kind === 'answered' && call.kind === 'cas') hit(status === 'OK' ? 'a compare-and-set won' : 'a compare-and-set lost')
    const identity = identityOfOperation(operation)
    if (outcome.kind !== 'unknown' || identity === null) return
    const fate = world.ledgerOf(shardOfKey(key, world.shards))?.fateOf(identity)
    if (fate === undefined) unanswered.add(identity)
    else hit('a write without an answer had taken effect')
  }
  return {
    onStep: (committed) => {
      const { operation, value, result, isExecuted, isReuse } = committed.step
      const { code, key, requestId, session } = operation
      const identity = identityOf({ code, key, value, requestId, session })
      if (result === null && !isReuse) hit('a session was over, or had forgotten the sequence')
      if (identity !== null && !isExecuted && result !== null) onDuplicate(identity, committed)
      onOpened(committed)
      if (!isExecuted) return
      if (identity !== null) terms.set(identity, committed.entry.term)
      if (identity !== null && unanswered.delete(identity)) hit('a write without an answer took effect later')
      onExecuted(committed.step)
    },
    onExpired: () => hit('a key expired'),
    onSessionEnded: () => hit('a session ended because nobody used it'),
    onCompleted: (operation) => {
      if (operation.call.kind !== 'get') onMutation(operation)
    },
    onEnd: () => {
      if (unanswered.size > 0) hit('a write without an answer never took effect')
    },
  }
})
