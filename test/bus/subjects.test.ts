/** Subjects: what is built reads back, and what can not be meant is refused with a reason. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  batchSubject, changedSubject, gatewayWildcards, gossipSubject, gossipWildcard, isClientReplyAllowed, isReplyAllowed, mapSubject,
  mapWildcard, nodeSubject, nodeWildcard, nodesInbox, parseSubject, prefixProblem, requestSubject, senderOf, slotWildcard, spanningSubject,
  traceSubject, traceWildcard,
} from '../../bus/subjects.ts'
import { isSubjectMatch } from '../../bus/subjectTrie.ts'
import { clusterId, nodeId, shardId } from '../../topology/ids.ts'

const cluster = clusterId('0123456789abcdef')
const n1 = nodeId('n1')
const n2 = nodeId('n2')

describe('a public subject', () => {
  test.each([
    ['kv.get.user42', { kind: 'key', op: 'get', key: 'user42', hashToken: 'user42' }],
    ['kv.put.user42.email', { kind: 'key', op: 'put', key: '{user42}email', hashToken: 'user42' }],
    ['kv.slot.7.get.user42', { kind: 'key', op: 'get', key: 'user42', hashToken: 'user42', slot: 7 }],
    ['kv.slot.1023.del.a.b', { kind: 'key', op: 'del', key: '{a}b', hashToken: 'a', slot: 1_023 }],
    ['kv.scan', { kind: 'spanning', op: 'scan' }],
    ['kv.to.n1.batch.v1', { kind: 'batch', node: 'n1' }],
  ])('%s is read', (subject, expected) => {
    expect(parseSubject('kv', subject)).toEqual({ ok: true, ...expected })
  })

  test.each([
    ['another prefix', 'kw.get.a', /starts with kv\./],
    ['the prefix alone', 'kv', /starts with kv\./],
    ['no operation', 'kv.', /an operation is/],
    ['an operation with a capital', 'kv.Get.a', /an operation is/],
    ['an operation that is far too long', `kv.${'a'.repeat(33)}.a`, /an operation is/],
    ['slot as an operation, two tokens', 'kv.slot', /reserved/],
    ['slot as an operation, three tokens', 'kv.slot.5', /reserved/],
    ['slot as an operation, four tokens', 'kv.slot.5.get', /reserved/],
    ['slot as an operation, as the broker maps it', 'kv.slot.3.slot.5', /reserved/],
    ['slot as an operation, as the broker maps four tokens', 'kv.slot.3.slot.5.get', /reserved/],
    ['to as an operation', 'kv.to.n1', /reserved/],
    ['to as an operation, as the broker maps it', 'kv.slot.3.to.n1.batch', /reserved/],
    ['a shard that is no number', 'kv.slot.x.get.a', /is not a shard/],
    ['a shard with a leading zero', 'kv.slot.07.get.a', /is not a shard/],
    ['a shard beyond the largest', 'kv.slot.1024.get.a', /is not a shard/],
    ['an empty key', 'kv.get.', /at least one byte/],
    ['an ill-encoded key', 'kv.get.%2e', /upper-case/],
    ['five tokens of a key with dots', 'kv.get.a.b.c', /%2E/],
    ['six tokens that are no slot', 'kv.get.a.b.c.d', /%2E/],
    ['seven tokens', 'kv.get.a.b.c.d.e', /one to five/],
    ['a batch of another version', 'kv.to.n1.batch.v2', /version v1/],
    ['a batch for no node', 'kv.to.N1.batch.v1', /node id/],
    ['something else for a node', 'kv.to.n1.reboot.v1', /%2E/],
    ['a subject that is too long', `kv.get.${'%FF'.repeat(1_024)}`, /at most 3072 bytes/],
  ])('is refused: %s', (_name, subject, reason) => {
    expect(parseSubject('kv', subject)).toMatchObject({ ok: false, reason: expect.stringMatching(reason) })
  })

  test('for one key reads back as that key, in the form a client sends and in the form the broker makes of it', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((key) => Buffer.from(key).toString('latin1'))
    fc.assert(fc.property(bytes, (key) => {
      const built = requestSubject('kv', 'get', key)
      if (!built.ok) return
      expect(parseSubject('kv', built.subject)).toEqual({ ok: true, kind: 'key', op: 'get', key, hashToken: built.hashToken })
      const mapped = built.subject.replace('kv.', 'kv.slot.9.')
      expect(parseSubject('kv', mapped)).toMatchObject({ ok: true, key, slot: 9 })
    }))
  })

  test('that arrives is read or refused, never thrown at', () => {
    const words = fc.constantFrom('kv', 'slot', 'to', 'get', '1', 'batch', 'v1', 'n1', '', '%', '%2E', '{')
    const token = fc.oneof(words, fc.string({ maxLength: 4 }))
    fc.assert(fc.property(fc.array(token, { maxLength: 7 }), (tokens) => {
      expect(typeof parseSubject('kv', tokens.join('.')).ok).toBe('boolean')
    }), { numRuns: 1_000 })
  })

  test('is not built for what could not be read', () => {
    expect(requestSubject('kv', 'slot', 'a')).toMatchObject({ ok: false, reason: expect.stringMatching(/reserved/) })
    expect(requestSubject('kv', 'GET', 'a').ok).toBe(false)
    expect(requestSubject('kv', 'get', '').ok).toBe(false)
    expect(requestSubject('kv', 'get', '\xff'.repeat(1_024))).toMatchObject({ ok: false, reason: expect.stringMatching(/3072/) })
    expect(requestSubject('kv', 'get', '\xff'.repeat(1_021)).ok).toBe(true)
  })

  test('has a prefix of its own', () => {
    expect(prefixProblem('kv')).toBeNull()
    expect(prefixProblem('my-kv-2')).toBeNull()
    for (const prefix of ['', 'KV', 'a.b', 'skv', 'kv-changed', '*']) expect(prefixProblem(prefix)).not.toBeNull()
    expect(parseSubject('my-kv', 'my-kv.get.a')).toMatchObject({ ok: true, key: 'a' })
  })

  test('announces a key in the form of its request', () => {
    expect(changedSubject('kv', 'a.b')).toBe('kv-changed.a%2Eb')
    expect(changedSubject('kv', '{p}k')).toBe('kv-changed.p.k')
    expect(changedSubject('kv', '')).toBeNull()
  })
})

describe('wildcards', () => {
  test.each([
    [slotWildcard('kv', shardId(7)), 'kv.slot.7.get.a', true],
    [slotWildcard('kv', shardId(7)), 'kv.slot.71.get.a', false],
    [nodeWildcard(cluster, n1), nodeSubject(cluster, n1, n2), true],
    [nodeWildcard(cluster, n1), nodeSubject(cluster, n2, n1), false],
    [gossipWildcard(cluster, n1), gossipSubject(cluster, n1, n2), true],
    [gossipWildcard(cluster, n1), nodeSubject(cluster, n1, n2), false],
    [mapWildcard(cluster), mapSubject(cluster, n2), true],
    [traceWildcard(cluster), traceSubject(cluster, n2), true],
    [traceWildcard(cluster), mapSubject(cluster, n2), false],
  ])('%s and %s: %s', (pattern, subject, expected) => {
    expect(isSubjectMatch(pattern, subject)).toBe(expected)
  })

  test('of gateways take requests as clients send them, and nothing routed', () => {
    const taken = (subject: string): boolean => gatewayWildcards('kv').some((pattern) => isSubjectMatch(pattern, subject))
    expect(taken(spanningSubject('kv', 'map'))).toBe(true)
    expect(taken('kv.get.a')).toBe(true)
    expect(taken('kv.get.a.b')).toBe(true)
    expect(taken('kv.slot.7.get.a')).toBe(false)
    expect(taken(batchSubject('kv', n1))).toBe(false)
  })

  test('name the sender last', () => {
    expect(senderOf(nodeSubject(cluster, n1, n2))).toBe('n2')
    expect(senderOf('lonely')).toBe('lonely')
  })
})

describe('a reply subject', () => {
  test.each([
    ['_INBOX.abc.1', true],
    ['_INBOX.', false],
    ['_INBOX', false],
    ['', false],
    ['_INBOXX.abc', false],
    [nodeSubject(cluster, n1, n2), false],
    ['kv.put.a', false],
    ['_INBOX.*', false],
    ['_INBOX.>', false],
    ['_INBOX.a b', false],
    ['_INBOX.a..b', false],
    ['_INBOX.a.', false],
    [`_INBOX.${'a'.repeat(3_072)}`, false],
    [`_INBOX.${'a'.repeat(3_000)}`, true],
    // What a byte that is no UTF-8 is read as takes three.
    [`_INBOX.${'\ufffd'.repeat(1_500)}`, false],
    [`_INBOX.${'\ufffd'.repeat(1_000)}`, true],
  ])('%s is allowed: %s', (reply, expected) => {
    expect(isReplyAllowed(reply, '_INBOX.')).toBe(expected)
  })
})

test('where nodes hear nodes, nodes of every version answer, and doors answer no client', () => {
  for (const inbox of ['_INBOX', '_INBOX.n1'].map(nodesInbox)) {
    expect([isReplyAllowed(`${inbox}.a.b`, '_INBOX.'), isClientReplyAllowed(`${inbox}.a.b`, '_INBOX.')]).toEqual([true, false])
  }
  expect(['_INBOX.a.b', '_INBOX.skv-nodesX.b', 'skv.c.node.n2.n1'].map((reply) => isClientReplyAllowed(reply, '_INBOX.')))
    .toEqual([true, true, false])
})
