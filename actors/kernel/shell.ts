/**
 * The loop every actor shell shares: give the chart an event, then carry out the effects its core left behind, in order.
 *
 * Effects are data in `core.effects`; performing one may bring the next event to the same actor (a message to oneself, a
 * completion that is already there), so events that arrive meanwhile are queued, never nested: a core is never re-entered.
 * The queue's limit is QUEUED_EVENTS_MAX; passing it is a bug (a loop between two actors), not load.
 *
 * xstate is not fail-stop by itself: an actor whose action throws goes silent. Here the error reaches `onFailure`, once, and the
 * owner ends the process.
 */

import { createActor } from 'xstate'
import type { AnyStateMachine, InputFrom, EventFromLogic } from 'xstate'
import { assert } from './assert.ts'
import { SETTLED, createHotPath } from './hotPath.ts'
import type { Recording } from './recorder.ts'

const QUEUED_EVENTS_MAX = 100_000
const EFFECTS_FEW = 1_024

export interface Shell<Event> {
  readonly send: (event: Event) => void
  /** The chart's state as a dotted path, such as `leading.serving`. */
  readonly state: () => string
  readonly stop: () => void
}

export interface ShellOptions<Machine extends AnyStateMachine, Effect> {
  readonly machine: Machine
  readonly input: InputFrom<Machine>
  readonly effects: Effect[]
  readonly perform: (effect: Effect) => void
  readonly onFailure: (error: unknown) => void
  readonly onState?: (state: string) => void
  /** Told of each new state before the effects of its event are carried out, so that what an actor says comes after what it became. */
  readonly recording?: Recording
}

interface Running<Event, Effect> {
  readonly effects: Effect[]
  readonly perform: (effect: Effect) => void
  readonly deliver: (event: Event) => void
  readonly onFailure: (error: unknown) => void
  /** What arrived while the actor was busy. */
  queue: Event[]
  isBusy: boolean
  isStopped: boolean
}

export const createShell = <Machine extends AnyStateMachine, Effect>(
  options: ShellOptions<Machine, Effect>,
): Shell<EventFromLogic<Machine>> => {
  const actor = createActor(options.machine, { input: options.input })
  const reportState = createStateReport(() => valueOf(actor), options.onState)
  const recordState = createStateReport(() => valueOf(actor), recordInto(options.recording))
  const hotPath = createHotPath(options.machine, actor.getSnapshot())
  const sendToChart = (event: EventFromLogic<Machine>): void => {
    actor.send(event)
    if (!running.isStopped) hotPath.enter(actor.getSnapshot())
  }
  const running: Running<EventFromLogic<Machine>, Effect> = {
    effects: options.effects,
    perform: options.perform,
    onFailure: options.onFailure,
    deliver: (event) => {
      const outcome = hotPath.take(event)
      if (outcome !== 'done') sendToChart(outcome === 'left' ? event : SETTLED as EventFromLogic<Machine>)
      if (outcome !== 'done') recordState(event.type)
      drain(running)
      if (outcome !== 'done') reportState(event.type)
    },
    queue: [],
    isBusy: false,
    isStopped: false,
  }
  actor.subscribe({ error: (error) => fail(running, error) })
  actor.start()
  recordState('start')
  drain(running)
  reportState('start')
  return {
    send: (event) => take(running, event),
    state: () => pathOf(valueOf(actor)),
    stop: () => {
      running.isStopped = true
      actor.stop()
      options.recording?.recorder.ended(options.recording.actor)
    },
  }
}

const take = <Event, Effect>(running: Running<Event, Effect>, event: Event): void => {
  if (running.isStopped) return
  if (running.isBusy) {
    running.queue.push(event)
    assert(running.queue.length <= QUEUED_EVENTS_MAX, `an actor queues at most ${QUEUED_EVENTS_MAX} events`)
    return
  }
  running.isBusy = true
  try {
    running.deliver(event)
    deliverQueued(running)
  } catch (error) {
    fail(running, error)
  } finally {
    running.isBusy = false
  }
}

const deliverQueued = <Event, Effect>(running: Running<Event, Effect>): void => {
  while (running.queue.length > 0) {
    const batch = running.queue
    running.queue = []
    for (const event of batch) {
      if (running.isStopped) return
      running.deliver(event)
    }
  }
}

/** Effects may add effects: those are carried out in the same pass, in order. */
const drain = <Event, Effect>(running: Running<Event, Effect>): void => {
  const { effects } = running
  for (const effect of effects) {
    if (running.isStopped) break
    running.perform(effect)
  }
  // Many: their room is given back. Few, one by one: setting the length is a call into V8, and gives back what the next ones need.
  if (effects.length > EFFECTS_FEW) effects.length = 0
  while (effects.length > 0) effects.pop()
}

const fail = <Event, Effect>(running: Running<Event, Effect>, error: unknown): void => {
  if (running.isStopped) return
  running.isStopped = true
  running.onFailure(error)
}

/** Tells each new state once, and the event that brought it. */
const createStateReport = (
  value: () => unknown, onState: ((state: string, because: string) => void) | undefined,
): ((because: string) => void) => {
  if (onState === undefined) return () => {}
  let last: unknown
  return (because) => {
    const current = value()
    if (current === last) return
    last = current
    onState(pathOf(current), because)
  }
}

const recordInto = (recording: Recording | undefined): ((state: string, because: string) => void) | undefined => {
  if (recording === undefined) return undefined
  const { recorder, actor, about } = recording
  return (state, because) => recorder.record({ actor, kind: 'state', event: state, because, ...about?.() })
}

const valueOf = (actor: { readonly getSnapshot: () => unknown }): unknown =>
  (actor.getSnapshot() as { readonly value: unknown }).value

/** xstate's nested value as a dotted path: { leading: 'serving' } is `leading.serving`. */
export const pathOf = (value: unknown): string => {
  if (typeof value === 'string') return value
  const parts: string[] = []
  for (const [name, inner] of Object.entries(value as Record<string, unknown>)) parts.push(`${name}.${pathOf(inner)}`)
  return parts.join(' ')
}
