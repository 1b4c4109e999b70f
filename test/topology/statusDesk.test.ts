/** Who asks for the status of a node, however often, does not keep it from what it is there for. */

import { describe, expect, test } from '@jest/globals'
import { silentLogger } from '../../actors/kernel/log.ts'
import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { openStatusDesk } from '../../topology/statusDesk.ts'
import { reportIn } from '../../topology/statusReading.ts'
import { replica, report } from '../cli/reports.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { Bus, BusStatus, InboundHandler } from '../../bus/port.ts'

const OUTSTANDING_MAX = 1_000

/** A clock that making a report moves on. */
const openClock = () => {
  const timers = new Map<() => void, number>()
  const world = { now: 0 }
  const clock: Clock = {
    ...createSystemClock(),
    now: () => world.now,
    after: (ms, fn) => {
      timers.set(fn, world.now + ms)
      return () => timers.delete(fn)
    },
  }
  const pass = (ms: number): void => {
    world.now += ms
    for (const [fn, at] of timers) {
      if (at > world.now) continue
      timers.delete(fn)
      fn()
    }
  }
  return { world, clock, pass, timers }
}

const openDesk = (reportMs: number) => {
  const { world, clock, pass, timers } = openClock()
  const seen = { made: 0, outstandingBytes: 0, sent: [] as { readonly to: string; readonly data: Uint8Array; readonly made: number }[] }
  let hear: InboundHandler = () => {}
  const bus: Pick<Bus, 'publish' | 'status' | 'subscribe'> = {
    publish: (to, data) => {
      seen.sent.push({ to, data, made: seen.made })
      return 'sent'
    },
    subscribe: (_subject, handler) => {
      hear = handler
      return { unsubscribe: () => {}, drain: () => {} }
    },
    status: (): BusStatus => ({
      connected: true, outstandingBytes: seen.outstandingBytes, outstandingBytesMax: OUTSTANDING_MAX, maxPayloadBytes: 1_048_576,
      server: { url: 'nats://somewhere', version: '2.10.0' },
    }),
  }
  const desk = openStatusDesk({
    bus, clock, log: silentLogger, subject: 'kv.status', inboxPrefix: '_INBOX.', nodesInbox: '_INBOX.skv-nodes',
    report: () => {
      seen.made += 1
      world.now += reportMs
      return report('n1', [replica(0)])
    },
  })
  const ask = (reply = '_INBOX.me'): void => hear({ subject: 'kv.status', reply, data: new Uint8Array(0) })
  return { world, seen, ask, pass, timers, stop: desk.stop }
}

describe('the status desk', () => {
  test('answers everybody, and makes its answers in a twentieth of the time', () => {
    const { world, seen, ask, pass } = openDesk(10)
    const askers = Array.from({ length: 2_000 }, (_, i) => `_INBOX.${i}`)
    for (const asker of askers) {
      ask(asker)
      pass(1)
    }
    pass(200)
    expect(seen.sent.map(({ to }) => to)).toEqual(askers)
    expect(seen.sent.every(({ data }) => reportIn({ data })?.node.id === 'n1')).toBe(true)
    expect(seen.made).toBeGreaterThan(5)
    expect(seen.made * 10).toBeLessThanOrEqual(world.now / 20 + 10)
  })

  test('answers with what was made after the question, a fifth of a second later at most', () => {
    const { seen, ask, pass } = openDesk(100)
    ask()
    ask('_INBOX.later')
    expect(seen.made).toBe(1)
    pass(199)
    expect(seen.made).toBe(1)
    pass(1)
    expect(seen.sent.map(({ to, made }) => [to, made])).toEqual([['_INBOX.me', 1], ['_INBOX.later', 2]])
  })

  test('answers each question at once where that takes no time', () => {
    const { seen, ask } = openDesk(0)
    ask()
    ask()
    expect(seen.sent.map(({ made }) => made)).toEqual([1, 2])
  })

  test('leaves the connection to beacons and the failure detector when a quarter of what it may hold has not been taken', () => {
    const { seen, ask } = openDesk(0)
    seen.outstandingBytes = OUTSTANDING_MAX / 4 + 1
    ask()
    expect(seen.sent).toEqual([])
    seen.outstandingBytes = OUTSTANDING_MAX / 4
    ask()
    expect(seen.sent.length).toBe(1)
  })

  test('lets no more than a thousand wait, and nobody once it is closed', () => {
    const { seen, ask, pass, timers, stop } = openDesk(10)
    for (let i = 0; i < 3_000; i += 1) ask(`_INBOX.${i}`)
    pass(200)
    expect(seen.sent.length).toBe(1_025)
    ask()
    stop()
    expect(timers.size).toBe(0)
  })

  test('answers nodes first, though a thousand others wait and the connection is busy, and lets few wait', () => {
    const { seen, ask, pass } = openDesk(10)
    ask()
    for (let i = 0; i < 3_000; i += 1) ask(`_INBOX.${i}`)
    for (let i = 0; i < 100; i += 1) ask(`_INBOX.skv-nodes.b.twin.${i}`)
    seen.outstandingBytes = OUTSTANDING_MAX / 2
    pass(200)
    expect(seen.sent.map(({ to }) => to)).toEqual(['_INBOX.me', ...Array.from({ length: 64 }, (_, i) => `_INBOX.skv-nodes.b.twin.${i}`)])
  })

  test('answers nowhere but in inboxes', () => {
    const { seen, ask } = openDesk(0)
    ask('skv.0123456789abcdef.node.n2.n1')
    ask('')
    expect([seen.made, seen.sent.length]).toEqual([0, 0])
  })
})
