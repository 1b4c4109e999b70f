/**
 * The loop every actor shell shares: give the chart an event, then carry out the effects its core left behind, in order.
 *
 * Effects are data in `core.effects`; performing one may bring the next event to the same actor (a message to oneself, a
 * completion that is already there), so events that arrive meanwhile are queued, never nested: a core is never re-entered.
 * The queue's limit is QUEUED_EVENTS_MAX; passing it is a bug (a loop between two actors), not load.
 *
 * xstate is not fail-stop by itself: an actor whose action throws goes silent. Here the error reaches `onFailure`, once, and the
 * owner ends the process (DESIGN 2).
 */

import { createActor } from 'xstate'
import type { AnyStateMachine, InputFrom, EventFromLogic } from 'xstate'
import { assert } from './assert.ts'

const QUEUED_EVENTS_MAX = 100_000

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
}

export const createShell = <Machine extends AnyStateMachine, Effect>(
  options: ShellOptions<Machine, Effect>,
): Shell<EventFromLogic<Machine>> => {
  const { effects, perform, onFailure } = options
  const actor = createActor(options.machine, { input: options.input } as never)
  let stopped = false
  let isBusy = false
  let queue: EventFromLogic<Machine>[] = []
  const fail = (error: unknown): void => {
    if (stopped) return
    stopped = true
    onFailure(error)
  }
  actor.subscribe({ error: fail })

  let lastValue: unknown
  const reportState = (): void => {
    if (options.onState === undefined) return
    const value = valueOf(actor)
    if (value === lastValue) return
    lastValue = value
    options.onState(pathOf(value))
  }

  const drain = (): void => {
    let next = 0
    while (next < effects.length && !stopped) {
      const effect = effects[next] as Effect
      next += 1
      perform(effect)
    }
    effects.length = 0
  }

  const send = (event: EventFromLogic<Machine>): void => {
    if (stopped) return
    queue.push(event)
    if (isBusy) {
      assert(queue.length <= QUEUED_EVENTS_MAX, `an actor queues at most ${QUEUED_EVENTS_MAX} events`)
      return
    }
    isBusy = true
    try {
      while (queue.length > 0 && !stopped) {
        const batch = queue
        queue = []
        for (const queued of batch) {
          if (stopped) break
          actor.send(queued)
          drain()
          reportState()
        }
      }
    } catch (error) {
      fail(error)
    } finally {
      isBusy = false
    }
  }

  actor.start()
  drain()
  reportState()
  return {
    send,
    state: () => pathOf(valueOf(actor)),
    stop: () => {
      stopped = true
      actor.stop()
    },
  }
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
