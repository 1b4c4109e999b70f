/** The memory broker: the contract, and the faults it is there for. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { createMemoryBroker } from '../../bus/memory.ts'
import { createSubjectTrie, isSubjectMatch } from '../../bus/subjectTrie.ts'
import { createNodeClock, createProcess, createTimeline } from '../../sim/clock.ts'
import { shardOf } from '../../topology/hash.ts'
import { bytesOf, describeBus, textOf } from './contract.ts'
import type { MemoryBroker, MemoryBrokerOptions } from '../../bus/memory.ts'
import type { Bus, BusEvent, Inbound } from '../../bus/port.ts'

describeBus('memory', async () => {
  const broker = createMemoryBroker({ clock: createSystemClock() })
  let connections = 0
  return {
    connect: async () => {
      connections += 1
      return broker.connect({ name: `c${connections}` })
    },
    stop: async () => {},
  }
})

interface Setup {
  readonly broker: MemoryBroker
  readonly a: Bus
  readonly b: Bus
  /** Runs virtual time to this many milliseconds. */
  readonly runUntil: (ms: number) => void
  /** What b has heard on `>`. */
  readonly heard: string[]
}

const setUp = (options: Partial<MemoryBrokerOptions> = {}): Setup => {
  const timeline = createTimeline()
  const clock = createNodeClock({ timeline, process: createProcess('broker'), rate: 1, wallStartMs: 0, wallOffsetMs: () => 0 })
  const broker = createMemoryBroker({ clock, ...options })
  const a = broker.connect({ name: 'a' })
  const b = broker.connect({ name: 'b' })
  const heard: string[] = []
  b.subscribe('>', (message) => heard.push(textOf(message.data)))
  return { broker, a, b, runUntil: (ms) => timeline.runUntil(ms), heard }
}

describe('the memory broker', () => {
  test('delivers after publish has returned, never inside it', () => {
    const { a, heard, runUntil } = setUp()
    a.publish('x', bytesOf('1'))
    expect(heard).toEqual([])
    runUntil(0)
    expect(heard).toEqual(['1'])
  })

  test('loses, delays, doubles and reorders as fate says', () => {
    const fates = new Map<number, readonly number[]>([[1, []], [2, [10]], [3, [0]], [4, [1, 5]]])
    const seen: unknown[] = []
    const { a, heard, runUntil } = setUp({
      fate: (message) => {
        seen.push(message)
        return fates.get(message.bytes) ?? [0]
      },
    })
    for (const size of [1, 2, 3, 4]) a.publish('x', bytesOf('abcd'.slice(0, size)))
    runUntil(0)
    expect(heard).toEqual(['abc'])
    runUntil(5)
    expect(heard).toEqual(['abc', 'abcd', 'abcd'])
    runUntil(10)
    expect(heard).toEqual(['abc', 'abcd', 'abcd', 'ab'])
    expect(seen[0]).toEqual({ from: 'a', to: 'b', subject: 'x', bytes: 1 })
  })

  test('loses what is on its way to a link that is cut, and refuses its publications', () => {
    const { broker, a, b, heard, runUntil } = setUp({ fate: () => [5] })
    const events: BusEvent[] = []
    b.onEvent((event) => events.push(event))
    a.publish('x', bytesOf('on its way'))
    broker.disconnect('b')
    broker.disconnect('b')
    expect(b.publish('y', bytesOf(''))).toBe('disconnected')
    expect(b.status().connected).toBe(false)
    a.publish('x', bytesOf('while it is cut'))
    broker.reconnect('b')
    broker.reconnect('b')
    a.publish('x', bytesOf('after'))
    runUntil(100)
    expect(heard).toEqual(['after'])
    expect(events).toEqual([{ type: 'bus.disconnected' }, { type: 'bus.connected' }])
  })

  test('tells a requester that nobody is there when the only responder is cut off', () => {
    const { broker, a, runUntil } = setUp()
    const failures: unknown[] = []
    broker.disconnect('b')
    a.request('x', bytesOf(''), { timeoutMs: 50 }, (failure) => failures.push(failure))
    runUntil(0)
    expect(failures).toEqual(['noResponders'])
  })

  test('leaves a request unanswered when its messages are lost: silence is not a refusal', () => {
    const { a, runUntil } = setUp({ fate: () => [] })
    const failures: unknown[] = []
    a.request('x', bytesOf(''), { timeoutMs: 50 }, (failure) => failures.push(failure))
    runUntil(49)
    expect(failures).toEqual([])
    runUntil(50)
    expect(failures).toEqual(['timeout'])
  })

  test('confirms a drained subscription after the last message that was on its way, however late or held up that comes', () => {
    const { broker, a, b, runUntil } = setUp({ fate: ({ bytes }) => [bytes] })
    const heard: string[] = []
    const subscription = b.subscribe('slot', ({ data }) => heard.push(textOf(data)))
    a.publish('slot', bytesOf('1'.repeat(20)))
    a.publish('slot', bytesOf('2'.repeat(10)))
    subscription.drain(() => heard.push('drained'))
    a.publish('slot', bytesOf('too late'))
    runUntil(10)
    expect(heard).toEqual(['2'.repeat(10)])
    broker.hold('b')
    runUntil(1_000)
    expect(heard).toHaveLength(1)
    broker.release('b')
    runUntil(1_000)
    expect(heard).toEqual(['2'.repeat(10), '1'.repeat(20), 'drained'])
  })

  test('confirms a drained subscription when its link is cut, and delivers nothing after that', () => {
    const { broker, a, b, runUntil } = setUp({ fate: () => [5] })
    const heard: string[] = []
    const subscription = b.subscribe('slot', ({ data }) => heard.push(textOf(data)))
    a.publish('slot', bytesOf('on its way'))
    subscription.drain(() => heard.push('drained'))
    broker.disconnect('b')
    runUntil(0)
    broker.reconnect('b')
    a.publish('slot', bytesOf('after'))
    runUntil(100)
    expect(heard).toEqual(['drained'])
  })

  test('keeps what is for a held connection and releases it as one late burst', () => {
    const { broker, a, heard, runUntil } = setUp()
    broker.hold('b')
    for (const text of ['1', '2', '3']) a.publish('x', bytesOf(text))
    runUntil(60_000)
    expect(heard).toEqual([])
    broker.release('b')
    runUntil(60_000)
    expect(heard).toEqual(['1', '2', '3'])
  })

  test('drops above the limit of a held connection, and says so', () => {
    const { broker, a, b, heard, runUntil } = setUp({ maxPayloadBytes: 16 * 1_024 * 1_024 })
    const events: BusEvent[] = []
    b.onEvent((event) => events.push(event))
    broker.hold('b')
    for (let i = 0; i < 5; i += 1) a.publish('x', new Uint8Array(16 * 1_024 * 1_024))
    runUntil(1)
    broker.release('b')
    runUntil(2)
    expect(heard).toHaveLength(4)
    expect(events).toEqual([{ type: 'bus.slowConsumer', subject: 'x' }])
  })

  test('delivers nothing of a late burst to a subscription that ended in its middle', () => {
    const { broker, a, b, runUntil } = setUp()
    const texts: string[] = []
    const subscription = b.subscribe('x', (message) => {
      texts.push(textOf(message.data))
      subscription.unsubscribe()
      subscription.unsubscribe()
    })
    broker.hold('b')
    for (const text of ['1', '2', '3']) a.publish('x', bytesOf(text))
    runUntil(1)
    broker.release('b')
    runUntil(2)
    expect(texts).toEqual(['1'])
  })

  test('routes single keys to their shard like the mapping, and nothing else', () => {
    const { a, b, runUntil } = setUp({ mappings: { prefix: 'kv', shardCount: 16 } })
    const subjects: string[] = []
    b.subscribe('>', ({ subject }) => subjects.push(subject))
    const unmapped = ['kv.map', 'kv.slot.3.get.a', 'kv.slot.3.get.a.b', 'kv.to.n1.batch.v1', 'kw.get.a']
    for (const subject of ['kv.get.user42', 'kv.put.p.k', ...unmapped]) a.publish(subject, bytesOf(''))
    runUntil(0)
    expect(subjects).toEqual([
      `kv.slot.${shardOf('user42', 16)}.get.user42`, `kv.slot.${shardOf('p', 16)}.put.p.k`, ...unmapped,
    ])
  })

  test('denies what a connection may not do, judging a publication by its mapped subject', () => {
    const { broker, heard, runUntil } = setUp({ mappings: { prefix: 'kv', shardCount: 16 } })
    const client = broker.connect({ name: 'client', permissions: { publish: ['kv.slot.>'], subscribe: ['_INBOX.>'] } })
    const events: BusEvent[] = []
    client.onEvent((event) => events.push(event))
    client.publish('kv.get.a', bytesOf('mapped'))
    client.publish('kv.map', bytesOf('not mapped'))
    const refused = client.subscribe('skv.>', () => heard.push('spied'))
    client.subscribe('_INBOX.client.*', () => {})
    runUntil(0)
    expect(heard).toEqual(['mapped'])
    expect(events).toEqual([
      { type: 'bus.permissionDenied', operation: 'publish', subject: 'kv.map' },
      { type: 'bus.permissionDenied', operation: 'subscribe', subject: 'skv.>' },
    ])
    refused.unsubscribe()
  })

  test('says what became of a request that it denies, and of one whose answer it denies', () => {
    const { broker, b, runUntil } = setUp()
    const outcomes: unknown[] = []
    b.subscribe('may.be.asked', ({ reply }) => b.publish(reply, bytesOf('done')))
    const askAs = (name: string, subscribe: readonly string[], subject: string): void =>
      broker.connect({ name, permissions: { publish: ['may.>'], subscribe } })
        .request(subject, bytesOf(''), { timeoutMs: 1_000 }, (failure) => outcomes.push(`${name}: ${failure}`))
    askAs('deaf', [], 'may.be.asked')
    askAs('mute', ['_INBOX.>'], 'other')
    askAs('free', ['_INBOX.>'], 'may.be.asked')
    runUntil(10)
    expect(outcomes.toSorted()).toEqual(['deaf: noInbox', 'free: null', 'mute: denied'])
  })

  test('says of a request that it denies, by the name that the mapping gave it, that it did not happen', () => {
    const { broker, runUntil } = setUp({ mappings: { prefix: 'kv', shardCount: 16 } })
    const mute = broker.connect({ name: 'mute', permissions: { publish: ['kv.help'], subscribe: ['_INBOX.>'] } })
    const told: unknown[] = []
    mute.onEvent((event) => told.push('subject' in event ? event.subject : event.type))
    for (const subject of ['kv.put.a', 'kv.put.p.a']) {
      mute.request(subject, bytesOf(''), { timeoutMs: 1_000 }, (failure) => told.push(failure))
    }
    runUntil(10)
    const named = [/^kv\.slot\.\d+\.put\.a$/, /^kv\.slot\.\d+\.put\.p\.a$/].map((subject) => expect.stringMatching(subject) as unknown)
    expect(told).toEqual(named.flatMap((subject) => ['denied', subject]))
  })

  test('says of none of several requests on a subject that it denies that it did not happen: one may have been before', () => {
    const { broker, runUntil } = setUp()
    const mute = broker.connect({ name: 'mute', permissions: { publish: ['may.>'], subscribe: ['_INBOX.>'] } })
    const outcomes: unknown[] = []
    for (let i = 0; i < 2; i += 1) mute.request('other', bytesOf(''), { timeoutMs: 1_000 }, (failure) => outcomes.push(failure))
    runUntil(10)
    expect(outcomes).toEqual(['deniedAmong', 'deniedAmong'])
  })

  test('keeps apart a request whose answer it denies and the one that its caller then makes', () => {
    const { broker, runUntil } = setUp()
    const deaf = broker.connect({ name: 'deaf', permissions: { publish: ['may.>'], subscribe: [] } })
    const told: string[] = []
    deaf.request('may.be.asked', bytesOf(''), { timeoutMs: 1_000 }, (first) => {
      told.push(`first ${first}`)
      deaf.flush(() => told.push('a turn later'))
      deaf.request('may.be.asked', bytesOf(''), { timeoutMs: 1_000 }, (second) => told.push(`then ${second}`))
    })
    runUntil(10)
    expect(told).toEqual(['first noInbox', 'a turn later', 'then noInbox'])
  })

  test('overwrites the bytes when the handler returns, so that a kept view is noticed', () => {
    const { a, b, runUntil } = setUp()
    const kept: Inbound[] = []
    b.subscribe('x', (message) => kept.push(message))
    a.publish('x', bytesOf('abc'))
    runUntil(0)
    expect([...(kept[0]?.data ?? [])]).toEqual([0xdb, 0xdb, 0xdb])
  })

  test('answers what waits when a connection closes, and never again', () => {
    const { a, runUntil } = setUp()
    const outcomes: unknown[] = []
    a.request('x', bytesOf(''), { timeoutMs: 1_000 }, (failure) => outcomes.push(failure))
    a.close()
    a.close()
    a.request('x', bytesOf(''), { timeoutMs: 1_000 }, (failure) => outcomes.push(failure))
    runUntil(5_000)
    expect(outcomes).toEqual(['closed', 'closed'])
  })

  test('gives a new connection of an old name a clean start', () => {
    const { broker, a, b, runUntil } = setUp({ fate: () => [5] })
    const answers: unknown[] = []
    b.subscribe('slow', ({ reply }) => b.publish(reply, bytesOf('for the old one')))
    a.request('slow', bytesOf(''), { timeoutMs: 100 }, () => answers.push('old'))
    runUntil(5)
    a.close()
    const again = broker.connect({ name: 'a' })
    again.request('mute', bytesOf(''), { timeoutMs: 50 }, (failure) => answers.push(failure))
    runUntil(200)
    expect(answers).toEqual(['old', 'timeout'])
  })

  test('ignores links it does not know', () => {
    const { broker } = setUp()
    for (const act of [broker.disconnect, broker.reconnect, broker.hold, broker.release]) expect(() => act('nobody')).not.toThrow()
  })
})

describe('the interest in a subject', () => {
  const token = fc.constantFrom('a', 'b', 'c')
  const subject = fc.array(token, { minLength: 1, maxLength: 4 })
  const pattern = fc.tuple(fc.array(fc.oneof(token, fc.constant('*')), { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([tokens, hasTail]) => (hasTail ? [...tokens, '>'] : tokens).join('.'))

  test('found by tokens is what comparing with every pattern finds', () => {
    const patternLists = fc.array(pattern, { maxLength: 12 })
    fc.assert(fc.property(patternLists, fc.array(fc.nat(), { maxLength: 4 }), subject, (patterns, removals, tokens) => {
      const trie = createSubjectTrie<number>()
      const live = new Map(patterns.map((each, i) => [i, each] as const))
      for (const [i, each] of live) trie.add(each, i)
      for (const removal of removals) {
        const each = patterns[removal % Math.max(1, patterns.length)]
        if (each === undefined) continue
        trie.remove(each, removal % patterns.length)
        live.delete(removal % patterns.length)
      }
      const expected = [...live].filter(([, each]) => isSubjectMatch(each, tokens.join('.'))).map(([i]) => i)
      expect([...trie.match(tokens.join('.'))].sort((x, y) => x - y)).toEqual(expected)
    }), { numRuns: 500 })
  })

  test.each([
    ['a.*', 'a.*', true],
    ['a.*', 'a.>', false],
    ['a.>', 'a.*', true],
    ['a.>', 'a.>', true],
    ['a.>', 'a', false],
    ['a', 'a.b', false],
    ['*', '>', false],
  ])('of an allow list: %s covers the subscription %s: %s', (allowed, asked, expected) => {
    expect(isSubjectMatch(allowed, asked)).toBe(expected)
  })

  test('forgets what was never there without harm', () => {
    const trie = createSubjectTrie<string>()
    trie.remove('x.y', 'nobody')
    trie.remove('>', 'nobody')
    expect(trie.match('x.y')).toEqual([])
  })
})
