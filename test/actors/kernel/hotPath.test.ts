/** The hot path against xstate itself: whatever the events, a chart run through both ends in the same state with the same effects. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createActor, raise, setup } from 'xstate'
import { SETTLED, createHotPath } from '../../../actors/kernel/hotPath.ts'

interface Event { readonly type: string, readonly n: number }
interface Core { readonly seen: string[], sum: number }

const machine = setup({
  types: { context: {} as { readonly core: Core }, input: {} as Core, events: {} as Event },
  guards: {
    isOdd: ({ event }) => event.n % 2 === 1,
    isMuch: ({ context }) => context.core.sum > 12,
    isEmpty: ({ context }) => context.core.sum === 0,
    hasAny: ({ context }) => context.core.sum > 0,
  },
  actions: {
    add: ({ context: { core }, event }) => { core.sum += event.n },
    note: ({ context: { core }, event }, { as }: { readonly as: string }) => { core.seen.push(`${as} ${event.n} ${core.sum}`) },
    empty: ({ context: { core } }) => { core.sum = 0 },
    entered: ({ context: { core } }) => { core.seen.push(`entered at ${core.sum}`) },
    readAgain: raise(({ event }) => event),
  },
}).createMachine({
  id: 'pump',
  context: ({ input }) => ({ core: input }),
  initial: 'low',
  on: {
    fill: [{ guard: 'isOdd', actions: ['add', { type: 'note', params: { as: 'odd' } }] }, { actions: 'add' }],
    ask: { actions: { type: 'note', params: { as: 'root' } } },
  },
  states: {
    low: {
      always: { guard: 'isMuch', target: 'high' },
      on: {
        ask: { guard: 'isOdd', actions: { type: 'note', params: { as: 'low' } } },
        jump: { guard: 'hasAny', target: 'high', actions: 'readAgain' },
      },
    },
    high: {
      initial: 'calm',
      entry: 'entered',
      always: { guard: 'isEmpty', target: 'low' },
      on: { drain: { actions: 'empty' }, '*': {} },
      states: {
        calm: { on: { fill: { guard: 'isOdd', target: 'wild' }, ask: {} } },
        wild: { entry: 'entered', on: { rest: 'calm', again: { target: 'wild', reenter: true } } },
      },
    },
  },
})

const types = ['fill', 'ask', 'jump', 'drain', 'rest', 'again', 'unknown'] as const
const events = fc.array(fc.record({ type: fc.constantFrom(...types), n: fc.integer({ min: 1, max: 6 }) }), { maxLength: 60 })

const throughXstate = (given: readonly Event[]): readonly unknown[] => {
  const core: Core = { seen: [], sum: 0 }
  const actor = createActor(machine, { input: core }).start()
  const states = given.map((event) => {
    actor.send(event)
    return actor.getSnapshot().value
  })
  return [core, states]
}

const throughHotPath = (given: readonly Event[]): readonly unknown[] => {
  const core: Core = { seen: [], sum: 0 }
  const actor = createActor(machine, { input: core }).start()
  const hotPath = createHotPath(machine, actor.getSnapshot())
  const states = given.map((event) => {
    const outcome = hotPath.take(event)
    if (outcome !== 'done') {
      actor.send(outcome === 'left' ? event : { ...SETTLED, n: 0 })
      hotPath.enter(actor.getSnapshot())
    }
    return actor.getSnapshot().value
  })
  return [core, states]
}

describe('the hot path of a chart', () => {
  test('ends where xstate ends, with the same effects, for any events', () => {
    fc.assert(fc.property(events, (given) => {
      expect(throughHotPath(given)).toEqual(throughXstate(given))
    }), { numRuns: 500 })
  })

  test('carries out a rule without a target itself, and leaves one with a target to xstate', () => {
    const actor = createActor(machine, { input: { seen: [], sum: 0 } }).start()
    const hotPath = createHotPath(machine, actor.getSnapshot())
    expect(hotPath.take({ type: 'ask' })).toBe('done')
    const any = { type: 'fill', n: 2 }
    expect(hotPath.take(any)).toBe('done')
    expect(hotPath.take({ type: 'jump' })).toBe('left')
    expect(hotPath.take({ type: 'unknown' })).toBe('done')
  })

  test('says when an always transition has come to hold', () => {
    const actor = createActor(machine, { input: { seen: [], sum: 0 } }).start()
    const hotPath = createHotPath(machine, actor.getSnapshot())
    const fill = { type: 'fill', n: 6 }
    expect([hotPath.take(fill), hotPath.take(fill), hotPath.take(fill)]).toEqual(['done', 'done', 'unsettled'])
  })

  test('refuses a wildcard that does something, since it would hear SETTLED too', () => {
    const greedy = setup({ actions: { act: () => {} } }).createMachine({ on: { '*': { actions: 'act' } } })
    const hotPath = createHotPath(greedy, createActor(greedy).getSnapshot())
    expect(() => hotPath.take({ type: 'any' })).toThrow('does nothing')
  })

  test('refuses a chart with parallel states', () => {
    const parallel = setup({}).createMachine({ type: 'parallel', states: { a: {}, b: {} } })
    expect(() => createHotPath(parallel, createActor(parallel).getSnapshot())).toThrow('no parallel states')
  })
})
