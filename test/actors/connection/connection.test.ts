/** The connection as an actor: batches, deadlines, limits, and a session's life. */

import { describe, expect, test } from '@jest/globals'
import { createHarness, get, here, ok, put, there } from './harness.ts'
import { shardId } from '../../../topology/ids.ts'
import type { OperationResult } from '../../../actors/shard/operation.ts'
import type { Policy } from '../../../actors/shard/protocol.ts'
import type { Sent } from './harness.ts'

const policies: readonly Policy[] = ['slot', 'forward', 'direct']
const keysOf = ({ message }: Sent): string => message.operations.map(({ key }) => key).join(' ')
const first = (sent: readonly Sent[], at = 0): Sent => {
  const found = sent[at]
  if (found === undefined) throw new Error(`nothing was sent at ${at}`)
  return found
}

describe('reads of strangers that were forwarded together', () => {
  const cutOff: OperationResult = { status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 0, message: 'ask for fewer at a time' }
  const busy: OperationResult = { ...cutOff, retryAfterMs: 100 }
  const forwarded = () => {
    const harness = createHarness()
    harness.leaders.set(0, { node: there, term: 7 })
    const [a = 0, b = 0, c = 0] = ['a', 'b', 'c'].map((key) => harness.ask(get(key), { policy: 'forward', timeoutMs: 1_000 }))
    harness.flush()
    return { harness, a, b, c }
  }

  test('and do not fit one answer together are asked for again', () => {
    const { harness, a, b, c } = forwarded()
    harness.reply(first(harness.sent), { from: there, results: [ok, cutOff, cutOff] })
    expect([a, b, c].map(harness.verdictOf)).toEqual(['OK', undefined, undefined])
    expect(harness.flushesWanted()).toBe(2)
    harness.ask(get('d'), { policy: 'forward' })
    harness.flush()
    expect(keysOf(first(harness.sent, 1))).toBe('b c d')
    harness.reply(first(harness.sent, 1), { from: there })
    expect([a, b, c].map(harness.verdictOf)).toEqual(['OK', 'OK', 'OK'])
  })

  test('keep their deadline when they are asked for again', () => {
    const { harness, b, c } = forwarded()
    harness.pass(600)
    harness.reply(first(harness.sent), { from: there, results: [ok, cutOff, cutOff] })
    harness.flush()
    harness.pass(500)
    harness.tick()
    expect([b, c].map(harness.verdictOf)).toEqual(['TIMEOUT+', 'TIMEOUT+'])
  })

  test('are refused where that would bring nothing: the shard is busy, the time is over, or none of them fits', () => {
    const results = [[ok, busy, cutOff], [cutOff, cutOff, cutOff]]
    for (const [round, given] of results.entries()) {
      const { harness, a, b, c } = forwarded()
      if (round === 0) harness.pass(2_000)
      harness.reply(first(harness.sent), { from: there, results: given })
      expect([a, b, c].map(harness.verdictOf)).toEqual(given.map(({ status }) => (status === 'OK' ? 'OK' : 'OVERLOADED+')))
    }
  })

  test('are the only ones that are: whoever sent a batch of its own is told to ask for less', () => {
    const harness = createHarness()
    const tickets = [harness.ask(get('a'), { policy: 'direct' }), harness.ask(get('b'), { policy: 'direct' })]
    harness.flush()
    harness.reply(first(harness.sent), { results: [ok, cutOff] })
    expect(tickets.map(harness.verdictOf)).toEqual(['OK', 'OVERLOADED+'])
  })
})

describe('the requests of a turn', () => {
  test('leave together by shard, policy and consistency, and reads apart from writes', () => {
    const harness = createHarness()
    harness.leaders.set(1, { node: there, term: 7 })
    harness.ask(put('a'))
    harness.ask(put('b'), { shard: shardId(1), policy: 'forward' })
    harness.ask(get('c'))
    harness.ask(put('d'))
    harness.ask(get('e'), { consistency: 'stale' })
    harness.ask(get('f'), { policy: 'direct' })
    harness.ask(get('g'))
    expect(harness.flushesWanted()).toBe(1)
    expect(harness.sent).toEqual([])
    harness.flush()
    const sent = harness.sent.map(({ shard, to, message }) =>
      [keysOf({ shard, to, message }), shard, to, message.policy, message.term, message.consistency])
    expect(sent).toEqual([
      ['a d', 0, '', 'slot', 0, 'linearizable'],
      ['b', 1, 'n2', 'forward', 7, 'linearizable'],
      ['c g', 0, '', 'slot', 0, 'linearizable'],
      ['e', 0, '', 'slot', 0, 'stale'],
      ['f', 0, '', 'direct', 0, 'linearizable'],
    ])
    expect(new Set(harness.sent.map(({ message }) => message.batch)).size).toBe(5)
    expect(first(harness.sent).message.replyTo).toBe('connection/raw')
    harness.flush()
    expect(harness.sent.length).toBe(5)
  })

  test('are cut so that each message fits the broker', () => {
    const harness = createHarness({ limits: { batchBytesMax: 250 } })
    harness.ask(put('a', 100))
    harness.ask(put('b', 100))
    harness.ask(put('c', 100))
    harness.ask(put('d', 200))
    harness.flush()
    expect(harness.sent.map(keysOf)).toEqual(['a b', 'c', 'd'])
  })

  test('are cut at the operations one batch holds', () => {
    const harness = createHarness()
    for (let i = 0; i < 4_097; i += 1) harness.ask(get('k'))
    harness.flush()
    expect(harness.sent.map(({ message }) => message.operations.length)).toEqual([4_096, 1])
  })

  test('are cut for another node at the operations whose answer one message holds', () => {
    const harness = createHarness({ limits: { forwardedOperationsMax: 3 } })
    harness.leaders.set(0, { node: there, term: 7 })
    for (let i = 0; i < 4; i += 1) for (const policy of ['forward', 'slot', 'direct'] as const) harness.ask(get('k'), { policy })
    harness.flush()
    expect(harness.sent.map(({ message }) => [message.policy, message.operations.length]))
      .toEqual([['forward', 3], ['forward', 1], ['slot', 4], ['direct', 4]])
  })

  test('are answered each with its own result, in whatever order the batches come back', () => {
    const harness = createHarness()
    const [a, b] = [harness.ask(put('a')), harness.ask(put('b'))]
    const c = harness.ask(get('c'))
    harness.flush()
    harness.reply(first(harness.sent, 1), { results: [{ status: 'NOT_FOUND', revision: 0, definite: true }] })
    harness.reply(first(harness.sent, 0), { results: [ok, { status: 'CONFLICT', revision: 4, definite: true }] })
    expect([a, b, c].map(harness.verdictOf)).toEqual(['OK', 'CONFLICT+', 'NOT_FOUND+'])
    expect(harness.connection.status()).toMatchObject({ inFlightRequests: 0, inFlightBytes: 0 })
  })

  test('are refused at once when malformed, and share no batch with good ones', () => {
    const harness = createHarness()
    const verdicts = policies.map((policy) => harness.verdictOf(harness.ask(put(''), { policy })))
    expect(verdicts).toEqual(['INVALID+', 'INVALID+', 'INVALID+'])
    expect(harness.verdictOf(harness.ask(put('k', 600_000)))).toBe('TOO_LARGE+')
    expect([harness.flushesWanted(), harness.connection.status().inFlightRequests]).toEqual([0, 0])
  })

  test('are refused definitely when forwarded while no leader is known: nothing was sent', () => {
    const harness = createHarness()
    const nobody = harness.ask(put('a'), { policy: 'forward' })
    harness.leaders.set(1, { node: there, term: 0 })
    const termless = harness.ask(put('b'), { policy: 'forward', shard: shardId(1) })
    harness.flush()
    expect([nobody, termless].map(harness.verdictOf)).toEqual(['NO_QUORUM+', 'NO_QUORUM+'])
    expect(harness.answers[0]?.result.retryAfterMs).toBe(50)
    expect(harness.sent).toEqual([])
    expect(harness.connection.status()).toMatchObject({ inFlightRequests: 0, inFlightBytes: 0 })
  })
})

describe('a reply', () => {
  test('is ignored and counted when it is late, repeated, or not of the batch it names', () => {
    const harness = createHarness()
    harness.leaders.set(0, { node: there, term: 1 })
    const ticket = harness.ask(put('a'), { policy: 'forward' })
    harness.flush()
    const sent = first(harness.sent)
    harness.reply(sent, { from: here })
    harness.reply(sent, { from: there, shard: 5 })
    harness.reply(sent, { from: there, results: [ok, ok] })
    harness.reply({ ...sent, message: { ...sent.message, batch: sent.message.batch + 1 } }, { from: there })
    expect(harness.answers).toEqual([])
    harness.reply(sent, { from: there })
    harness.reply(sent, { from: there })
    expect(harness.answers.map((answer) => answer.ticket)).toEqual([ticket])
    expect(harness.connection.status().counters.lateReplies).toBe(5)
  })

  test('to an earlier incarnation meets no batch of this one', () => {
    const numberAt = (wallMs: number): number => {
      const harness = createHarness({ wallMs })
      harness.ask(put('a'))
      harness.flush()
      return first(harness.sent).message.batch
    }
    const numbers = [0, 1, 500, 1_000, 60_000].map((later) => numberAt(1_700_000_000_000 + later))
    for (const number of numbers) {
      expect(Number.isInteger(number) && number >= 0 && number < 2 ** 32).toBe(true)
      expect(numbers.filter((other) => Math.abs(other - number) < 100_000).length).toBe(1)
    }
  })
})

describe('a deadline', () => {
  test('passes silently by slot, definitely for a read and indefinitely for a write elsewhere', () => {
    const harness = createHarness()
    harness.leaders.set(0, { node: there, term: 1 })
    const writes = policies.map((policy) => harness.ask(put('a'), { policy, timeoutMs: 200 }))
    const reads = policies.map((policy) => harness.ask(get('a'), { policy, timeoutMs: 200 }))
    harness.flush()
    harness.pass(199)
    harness.tick()
    expect([harness.answers, harness.forgotten]).toEqual([[], []])
    harness.pass(60)
    harness.tick()
    expect(writes.map(harness.verdictOf)).toEqual([undefined, 'TIMEOUT-', 'TIMEOUT-'])
    expect(reads.map(harness.verdictOf)).toEqual([undefined, 'TIMEOUT+', 'TIMEOUT+'])
    expect(harness.forgotten).toEqual([writes[0], reads[0]])
    expect(harness.connection.status()).toMatchObject({ inFlightRequests: 0, inFlightBytes: 0, counters: { timedOut: 4, forgotten: 2 } })
    for (const sent of harness.sent) harness.reply(sent, { from: there })
    expect(harness.answers.length).toBe(4)
    expect(harness.connection.status().counters.lateReplies).toBe(6)
  })

  test('takes one request out of a batch, and the others are still answered', () => {
    const harness = createHarness()
    const hasty = harness.ask(put('a'), { policy: 'direct', timeoutMs: 100 })
    const patient = harness.ask(put('b'), { policy: 'direct', timeoutMs: 900 })
    harness.flush()
    harness.pass(200)
    harness.tick()
    harness.reply(first(harness.sent))
    expect([hasty, patient].map(harness.verdictOf)).toEqual(['TIMEOUT-', 'OK'])
    expect(harness.answers.length).toBe(2)
    harness.pass(2_000)
    harness.tick()
    expect(harness.answers.length).toBe(2)
  })

  test('that passes before the turn ends keeps the request at home', () => {
    const harness = createHarness()
    harness.ask(put('a'), { policy: 'direct', timeoutMs: 1 })
    harness.pass(100)
    harness.tick()
    harness.flush()
    expect(harness.sent).toEqual([])
    expect(harness.answers.length).toBe(1)
  })

  test('is a minute at most, and a millisecond at least', () => {
    const harness = createHarness()
    const endless = harness.ask(put('a'), { policy: 'direct', timeoutMs: 1e9 })
    const negative = harness.ask(put('a'), { policy: 'direct', timeoutMs: -5 })
    harness.flush()
    harness.tick()
    expect(harness.verdictOf(negative)).toBeUndefined()
    harness.pass(59_999)
    harness.tick()
    expect([negative, endless].map(harness.verdictOf)).toEqual(['TIMEOUT-', undefined])
    harness.pass(60)
    harness.tick()
    expect(harness.verdictOf(endless)).toBe('TIMEOUT-')
  })
})

describe('a connection at its limit', () => {
  test('is throttled at the high-water mark until the low-water mark, by requests', () => {
    const harness = createHarness({ limits: { inFlightRequestsMax: 4 } })
    for (let i = 0; i < 4; i += 1) {
      harness.ask(put('a'), { shard: shardId(i) })
      harness.flush()
    }
    expect(harness.connection.state()).toBe('open')
    expect(policies.map((policy) => harness.verdictOf(harness.ask(put('x'), { policy }))))
      .toEqual(['OVERLOADED-', 'OVERLOADED+', 'OVERLOADED+'])
    expect(harness.connection.state()).toBe('throttled')
    expect(harness.answers[0]?.result.retryAfterMs).toBe(50)
    expect(harness.connection.status().counters.overloaded).toBe(3)
    harness.reply(first(harness.sent, 0))
    expect(harness.connection.state()).toBe('open')
  })

  test('is throttled by bytes, and stays so above the low-water mark', () => {
    const harness = createHarness({ limits: { inFlightBytesMax: 100 } })
    for (const bytes of [9, 9, 79]) {
      harness.ask(put('k', bytes), { shard: shardId(bytes) })
      harness.flush()
    }
    harness.ask(put('k'))
    expect(harness.connection.state()).toBe('throttled')
    harness.reply(first(harness.sent, 0))
    harness.reply(first(harness.sent, 1))
    expect(harness.connection.status().inFlightBytes).toBe(79 + 1 + 8)
    expect(harness.connection.state()).toBe('throttled')
    harness.reply(first(harness.sent, 2))
    expect(harness.connection.state()).toBe('open')
  })

  test('opens again when deadlines free it', () => {
    const harness = createHarness({ limits: { inFlightRequestsMax: 1 } })
    harness.ask(put('a'), { timeoutMs: 100 })
    harness.ask(put('b'))
    harness.flush()
    expect(harness.connection.state()).toBe('throttled')
    harness.pass(150)
    harness.tick()
    expect(harness.connection.state()).toBe('open')
  })

  test('refuses above its rate with the time until the next token, when it has one', () => {
    const harness = createHarness({ limits: { requestsPerSecondMax: 10, burstRequestsMax: 2 } })
    const verdicts = (policy: Policy): (string | undefined)[] => [1, 2, 3].map(() => harness.verdictOf(harness.ask(put('a'), { policy })))
    expect(verdicts('direct')).toEqual([undefined, undefined, 'OVERLOADED+'])
    expect(harness.answers[0]?.result.retryAfterMs).toBe(100)
    harness.pass(100)
    expect(verdicts('slot')).toEqual([undefined, 'OVERLOADED-', 'OVERLOADED-'])
    harness.pass(10_000)
    expect(verdicts('slot')).toEqual([undefined, undefined, 'OVERLOADED-'])
  })

  test('has no rate limit unless it is given one', () => {
    const harness = createHarness()
    for (let i = 0; i < 5_000; i += 1) harness.ask(get('a'))
    expect(harness.answers).toEqual([])
  })
})

describe('a session', () => {
  const openSession = (): ReturnType<typeof createHarness> => {
    const harness = createHarness({ kind: 'session' })
    harness.hello()
    harness.send({ type: 'connection.authenticated' })
    return harness
  }

  test('opens by hello and authentication, and takes no request before', () => {
    const harness = createHarness({ kind: 'session' })
    expect(harness.connection.state()).toBe('handshaking')
    const early = harness.ask(put('a'), { policy: 'direct' })
    harness.hello()
    expect(harness.connection.state()).toBe('authenticating')
    const later = harness.ask(put('a'), { policy: 'slot' })
    expect([early, later].map(harness.verdictOf)).toEqual(['UNAUTHORIZED+', 'UNAUTHORIZED-'])
    harness.send({ type: 'connection.authenticated' })
    expect(harness.connection.state()).toBe('open')
    harness.ask(put('a'), { policy: 'direct' })
    harness.flush()
    expect(first(harness.sent).message.replyTo).toBe('connection/s1')
  })

  test('is refused for a version nobody speaks, or by authentication', () => {
    const foreign = createHarness({ kind: 'session' })
    foreign.hello(2)
    expect([foreign.connection.state(), foreign.closed]).toEqual(['closed', ['version 2 is unknown: this node speaks 1']])
    expect(foreign.verdictOf(foreign.ask(put('a'), { policy: 'direct' }))).toBe('UNAUTHORIZED+')
    const refused = createHarness({ kind: 'session' })
    refused.hello()
    refused.send({ type: 'connection.refused', reason: 'no such user' })
    expect([refused.connection.state(), refused.closed]).toEqual(['closed', ['no such user']])
  })

  test('is closed when its handshake takes too long, before hello and after', () => {
    const silent = createHarness({ kind: 'session' })
    silent.pass(9_999)
    silent.tick()
    expect(silent.connection.state()).toBe('handshaking')
    silent.hello()
    silent.pass(9_999)
    silent.tick()
    expect(silent.connection.state()).toBe('authenticating')
    silent.pass(1)
    silent.tick()
    expect([silent.connection.state(), silent.closed]).toEqual(['closed', ['the handshake took too long']])
    const mute = createHarness({ kind: 'session' })
    mute.pass(10_000)
    mute.tick()
    expect(mute.connection.state()).toBe('closed')
  })

  test('is closed after 30 s of silence, which a request or a hello breaks', () => {
    const harness = openSession()
    harness.pass(29_000)
    harness.hello()
    harness.pass(29_000)
    harness.ask(put('a'), { policy: 'direct', timeoutMs: 60_000 })
    harness.flush()
    harness.pass(29_999)
    harness.tick()
    expect(harness.connection.state()).toBe('open')
    harness.pass(1)
    harness.tick()
    expect(harness.connection.state()).toBe('open')
    harness.reply(first(harness.sent))
    harness.tick()
    expect([harness.connection.state(), harness.closed]).toEqual(['closed', ['nothing was heard for too long']])
  })

  test('counts a throttled request and hello as a sign of life', () => {
    const harness = createHarness({ kind: 'session', limits: { inFlightRequestsMax: 1 } })
    harness.hello()
    harness.send({ type: 'connection.authenticated' })
    harness.ask(put('a'), { policy: 'direct' })
    harness.flush()
    harness.pass(20_000)
    harness.ask(put('a'), { policy: 'direct' })
    harness.hello()
    harness.reply(first(harness.sent))
    harness.pass(20_000)
    harness.tick()
    expect(harness.connection.state()).toBe('open')
  })
})

describe('a raw connection', () => {
  test('is open from the start and never idles out', () => {
    const harness = createHarness()
    expect(harness.connection.state()).toBe('open')
    harness.pass(10_000_000)
    harness.tick()
    expect(harness.connection.state()).toBe('open')
  })
})

describe('a connection that drains', () => {
  test('refuses new requests, answers those in flight, then closes', () => {
    const harness = createHarness()
    const ticket = harness.ask(put('a'))
    harness.send({ type: 'connection.drain' })
    harness.send({ type: 'connection.drain' })
    expect(harness.connection.state()).toBe('draining')
    expect(policies.map((policy) => harness.verdictOf(harness.ask(put('x'), { policy }))))
      .toEqual(['OVERLOADED-', 'OVERLOADED+', 'OVERLOADED+'])
    harness.flush()
    harness.reply(first(harness.sent))
    expect(harness.verdictOf(ticket)).toBe('OK')
    expect([harness.connection.state(), harness.closed]).toEqual(['closed', ['drained']])
    harness.send({ type: 'connection.drain' })
    expect(harness.closed).toEqual(['drained'])
  })

  test('closes at once when nothing is in flight, and by deadlines otherwise', () => {
    const idle = createHarness()
    idle.send({ type: 'connection.drain' })
    expect(idle.connection.state()).toBe('closed')
    const waiting = createHarness()
    waiting.ask(put('a'), { timeoutMs: 100 })
    waiting.flush()
    waiting.send({ type: 'connection.drain' })
    waiting.pass(200)
    waiting.tick()
    expect([waiting.connection.state(), waiting.forgotten.length]).toEqual(['closed', 1])
    waiting.connection.stop()
    expect(waiting.failures).toEqual([])
  })
})
