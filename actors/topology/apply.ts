/**
 * The meta group's state machine: `apply(state, command)` is the whole of it, and the same on every member.
 *
 * A command made for another epoch is refused; one that changes something makes the next epoch and a line of history. A command whose
 * request is in the history was applied before: it is answered as it was then, whatever the epoch is now. The epoch alone already
 * keeps a repeated command from taking effect twice; the request is for whoever asked and never heard the answer.
 */

import { HISTORY_EVENTS_MAX } from './clusterState.ts'
import {
  activateNode, addNode, drainNode, removeNode, setBalance, setPaused, setReplicationFactor, setWeight, setZone,
} from './applyNodes.ts'
import { beginMove, cancel, finish, prefer, promote } from './applyMoves.ts'
import { raiseLevel } from './levels.ts'
import { isRefused, refused } from './refusals.ts'
import type { Change } from './change.ts'
import type { ClusterState, HistoryEvent } from './clusterState.ts'
import type { MetaCommand, Outcome, Refused } from './protocol.ts'

export interface Applied {
  readonly state: ClusterState
  readonly outcome: Outcome
}

export const apply = (state: ClusterState, command: MetaCommand): Applied => {
  const before = rememberedIn(state, command)
  if (before !== undefined) return { state, outcome: { kind: 'applied', epoch: before.epoch, move: before.move } }
  if (command.expectedEpoch !== state.epoch) {
    const message = `made for epoch ${command.expectedEpoch}, and it is ${state.epoch}: look again, then ask again`
    return { state, outcome: refused(state, 'staleEpoch', message) }
  }
  const change = changeOf(state, command)
  if (change === null) return { state, outcome: { kind: 'unchanged', epoch: state.epoch } }
  if (isRefused(change)) return { state, outcome: change }
  return commit(state, command, change)
}

/** What the command did when it was asked for before; undefined where nobody remembers that it was. */
export const rememberedIn = ({ history }: ClusterState, { request: asked }: MetaCommand): HistoryEvent | undefined =>
  (asked === '' ? undefined : history.findLast(({ request }) => request === asked))

const changeOf = (state: ClusterState, command: MetaCommand): Change | Refused | null => {
  switch (command.kind) {
    case 'addNode': return addNode(state, command)
    case 'drainNode': return drainNode(state, command)
    case 'activateNode': return activateNode(state, command)
    case 'removeNode': return removeNode(state, command)
    case 'setWeight': return setWeight(state, command)
    case 'setZone': return setZone(state, command)
    case 'setReplicationFactor': return setReplicationFactor(state, command)
    case 'raiseLevel': return raiseLevel(state, command)
    case 'setBalance': return setBalance(state, command)
    case 'pause': return setPaused(state, true)
    case 'resume': return setPaused(state, false)
    case 'beginMove': return beginMove(state, command)
    case 'promote': return promote(state, command)
    case 'finish': return finish(state, command)
    case 'cancel': return cancel(state, command)
    case 'prefer': return prefer(state, command)
  }
  command satisfies never
}

const commit = (state: ClusterState, { at, by, request }: MetaCommand, change: Change): Applied => {
  const epoch = state.epoch + 1
  const move = change.move ?? 0
  const history = [...state.history, { epoch, at, by, what: change.what, request, move }].slice(-HISTORY_EVENTS_MAX)
  return { state: { ...state, ...change.state, epoch, history }, outcome: { kind: 'applied', epoch, move } }
}
