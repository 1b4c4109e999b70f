/** The shell around a chart against re-entrant events, throwing actions and effects, and actors that feed each other for ever. */

import { describe, expect, test } from '@jest/globals'
import { setup } from 'xstate'
import { createShell, pathOf } from '../../../actors/kernel/shell.ts'
import type { Shell } from '../../../actors/kernel/shell.ts'

type Event = { readonly type: 'count' } | { readonly type: 'fail' } | { readonly type: 'go' } | { readonly type: 'loop' }
type Effect = 'counted' | 'looped'

const machine = setup({
  types: { context: {} as { effects: Effect[] }, input: {} as { effects: Effect[] }, events: {} as Event },
  actions: {
    count: ({ context }) => { context.effects.push('counted') },
    loop: ({ context }) => { context.effects.push('looped') },
    fail: () => { throw new Error('broken on purpose') },
  },
}).createMachine({
  context: ({ input }) => input,
  initial: 'idle',
  on: { count: { actions: 'count' }, fail: { actions: 'fail' }, loop: { actions: 'loop' } },
  states: { idle: { on: { go: 'busy' } }, busy: { initial: 'inner', states: { inner: {} } } },
})

const open = (perform: (effect: Effect, shell: () => Shell<Event>) => void): {
  shell: Shell<Event>; failures: unknown[]; states: string[]
} => {
  const effects: Effect[] = []
  const failures: unknown[] = []
  const states: string[] = []
  const shell: Shell<Event> = createShell({
    machine,
    input: { effects },
    effects,
    perform: (effect: Effect) => perform(effect, () => shell),
    onFailure: (error) => failures.push(error),
    onState: (state) => states.push(state),
  })
  return { shell, failures, states }
}

describe('an actor shell', () => {
  test('carries out effects in order after the event that caused them', () => {
    const done: Effect[] = []
    const { shell } = open((effect) => done.push(effect))
    shell.send({ type: 'count' })
    shell.send({ type: 'count' })
    expect(done).toEqual(['counted', 'counted'])
  })

  test('queues an event sent while an effect is carried out instead of re-entering the core', () => {
    const log: string[] = []
    const { shell } = open((effect, self) => {
      log.push(`begin ${effect}`)
      if (log.length < 4) self().send({ type: 'count' })
      log.push(`end ${effect}`)
    })
    shell.send({ type: 'count' })
    expect(log.slice(0, 4)).toEqual(['begin counted', 'end counted', 'begin counted', 'end counted'])
  })

  test('reports an action that throws once, and is deaf afterwards', () => {
    const done: Effect[] = []
    const { shell, failures } = open((effect) => done.push(effect))
    shell.send({ type: 'fail' })
    shell.send({ type: 'count' })
    shell.send({ type: 'fail' })
    expect(failures.map(String)).toEqual(['Error: broken on purpose'])
    expect(done).toEqual([])
  })

  test('reports an effect that throws', () => {
    const { shell, failures } = open(() => { throw new Error('disk on fire') })
    shell.send({ type: 'count' })
    expect(failures.map(String)).toEqual(['Error: disk on fire'])
  })

  test('stops a loop between actors at the limit of queued events', () => {
    let isEndless = true
    const { shell, failures } = open((_effect, self) => {
      if (!isEndless) return
      isEndless = false
      for (let i = 0; i <= 100_000; i += 1) self().send({ type: 'count' })
    })
    shell.send({ type: 'count' })
    expect(failures.map(String)).toEqual(['AssertionError: an actor queues at most 100000 events'])
  })

  test('tells each new state once, as a dotted path', () => {
    const { shell, states } = open(() => {})
    shell.send({ type: 'count' })
    shell.send({ type: 'go' })
    expect(states).toEqual(['idle', 'busy.inner'])
    expect(shell.state()).toBe('busy.inner')
    shell.stop()
    shell.send({ type: 'count' })
    expect(pathOf({ a: { b: 'c' } })).toBe('a.b.c')
  })
})
