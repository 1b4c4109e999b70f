/** The failure detector's messages on the wire: what was sent arrives as it was, and anything else is refused whole. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { INCARNATION_MAX, peerStates } from '../../actors/gossip/protocol.ts'
import { encodeControl } from '../../bus/codec/control.ts'
import { GOSSIP_RUMOURS_MAX, decodeGossip, encodeGossip } from '../../bus/codec/gossip.ts'
import { nodeId } from '../../topology/ids.ts'
import type { GossipMessage } from '../../actors/gossip/protocol.ts'

const names = fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/).map(nodeId)
const sequence = fc.nat()
const rumours = fc.array(fc.record({
  node: names, state: fc.constantFrom(...peerStates), incarnation: fc.integer({ min: 0, max: INCARNATION_MAX }), by: names,
}), { maxLength: 8 })

const messages: fc.Arbitrary<GossipMessage> = fc.oneof(
  fc.record({ type: fc.constantFrom('gossip.ping', 'gossip.ack', 'gossip.nack'), sequence, rumours }),
  fc.record({ type: fc.constant('gossip.pingRequest'), sequence, target: names, rumours }),
  fc.record({ type: fc.constant('gossip.news'), rumours }),
  fc.record({ type: fc.constant('gossip.exchange'), kind: fc.constantFrom('question', 'answer'), rumours }),
)

test('law: encode then decode is identity', () => {
  fc.assert(fc.property(messages, (message) => {
    expect(decodeGossip(encodeGossip(message))).toEqual(message)
  }))
})

test('law: a byte that turned over is refused, or means something valid', () => {
  fc.assert(fc.property(messages, fc.nat(), fc.integer({ min: 1, max: 255 }), (message, at, flip) => {
    const bytes = encodeGossip(message)
    const index = at % bytes.length
    bytes[index] = (bytes[index] ?? 0) ^ flip
    const decoded = decodeGossip(bytes)
    if (decoded !== null) expect(decodeGossip(encodeGossip(decoded))).toEqual(decoded)
  }))
})

describe('refused is', () => {
  const rumour = ['n2', 1, 3, 'n1']
  test.each<[string, unknown]>([
    ['a record', { type: 0 }],
    ['an empty list', []],
    ['an unknown type', [6, []]],
    ['a type that is no number', ['gossip.ping', 1, []]],
    ['a ping without rumours', [0, 1]],
    ['a ping with more than it has', [0, 1, 2, []]],
    ['a negative sequence', [1, -1, []]],
    ['a sequence with a fraction', [3, 1.5, []]],
    ['a request for a name that is none', [2, 1, 'N 1', []]],
    ['a request without a target', [2, 1, []]],
    ['news with a sequence', [4, 1, []]],
    ['an exchange that neither asks nor answers', [5, 2, []]],
    ['rumours that are no list', [0, 1, 'n2']],
    ['a rumour that is no list', [0, 1, [7]]],
    ['a rumour that is too short', [0, 1, [['n2', 1]]]],
    ['a rumour that is too long', [0, 1, [[...rumour, 1]]]],
    ['a rumour about no name', [0, 1, [['', 1, 3]]]],
    ['a rumour by no name', [0, 1, [['n2', 1, 3, 7]]]],
    ['a rumour of no state', [0, 1, [['n2', 4, 3]]]],
    ['a rumour with an incarnation beyond all', [0, 1, [['n2', 1, INCARNATION_MAX + 1]]]],
    ['one bad rumour among good ones', [0, 1, [rumour, rumour, ['n2', 1, -1]]]],
    ['more rumours than a message has', [4, Array.from({ length: GOSSIP_RUMOURS_MAX + 1 }, () => ['n2', 1, 3])]],
  ])('%s', (_, value) => {
    expect(decodeGossip(encodeControl(value))).toBeNull()
  })

  test('what is no control message at all', () => {
    expect(decodeGossip(new Uint8Array(0))).toBeNull()
    expect(decodeGossip(Uint8Array.of(9, 1, 2))).toBeNull()
  })
})

test('an idle ping and its ack take a dozen bytes each', () => {
  expect(encodeGossip({ type: 'gossip.ping', sequence: 100_000, rumours: [] }).length).toBeLessThan(12)
})
