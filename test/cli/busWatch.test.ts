/** What a node's log says about its connections. */

import { expect, test } from '@jest/globals'
import { watchBus } from '../../cli/commands/busWatch.ts'
import { fakeCluster } from './fakes.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { LogFields, Logger } from '../../actors/kernel/log.ts'
import type { Bus, BusEvent } from '../../bus/port.ts'

const watched = () => {
  const lines: string[] = []
  const lost: string[] = []
  const write = (level: string) => (fields: LogFields, message: string): void => {
    const { detail, count } = fields
    lines.push(`${level} ${message}${typeof detail === 'string' ? `: ${detail} (${String(Number(count))})` : ''}`)
  }
  const log: Logger = {
    error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug'), trace: write('trace'), child: () => log,
  }
  let emit: (event: BusEvent) => void = () => {}
  let now = 0
  const bus: Bus = { ...fakeCluster(() => 'timeout').bus, onEvent: (listener) => { emit = listener } }
  const clock: Clock = { now: () => now, wall: () => now, after: () => () => {}, defer: (fn) => fn() }
  watchBus(bus, { name: 'data', clock, log, onLost: (reason) => lost.push(reason) })
  return { lines, lost, emit: (event: BusEvent) => emit(event), pass: (ms: number) => { now += ms } }
}

test('what the broker denies is logged once a second, with how often', () => {
  const { lines, emit, pass } = watched()
  const deny = (): void => emit({ type: 'bus.permissionDenied', operation: 'publish', subject: 'skv.x' })
  deny()
  deny()
  deny()
  pass(1_000)
  deny()
  expect(lines).toEqual([
    'warn permission denied by the broker: publish skv.x; "shardkv nats-config --cluster" prints what a node needs (1)',
    'warn permission denied by the broker: publish skv.x; "shardkv nats-config --cluster" prints what a node needs (3)',
  ])
})

test('a connection that is lost and found is logged; one that is closed for good is the end, one that we close is not', () => {
  const { lines, lost, emit } = watched()
  emit({ type: 'bus.disconnected' })
  emit({ type: 'bus.connected' })
  emit({ type: 'bus.lameDuck' })
  emit({ type: 'bus.slowConsumer', subject: 'kv.*' })
  emit({ type: 'bus.closed' })
  expect(lost).toEqual([])
  emit({ type: 'bus.closed', reason: 'Authorization Violation' })
  expect(lost).toEqual(['Authorization Violation'])
  expect(lines).toEqual([
    'warn the connection to the broker is lost', 'info connected to the broker again', 'info the broker is about to stop',
    'warn messages arrive faster than this node takes them',
  ])
})
