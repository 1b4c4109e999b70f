/** Bytes of the meta group: one encoding of each value, and a reason, never a throw, for everything else. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { apply } from '../../../actors/topology/apply.ts'
import {
  COMMAND_BYTES_MAX, STATE_BYTES_MAX, decodeCommand, decodeState, encodeCommand, encodeState,
} from '../../../actors/topology/codec.ts'
import { asked, bytesOf, newborn } from './states.ts'
import { wishArb } from './wishes.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'

const randomState = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.array(wishArb, { maxLength: 40 })).map(([size, wishes]) => {
  let state = newborn({ size })
  for (const wish of wishes) state = apply(state, asked(state, wish)).state
  return state
})

/** As the first version writes it. */
const unsaid = ['level', 'isBalanced']
const plain = (state: ClusterState): object => Object.fromEntries(Object.entries(state).filter(([name]) => !unsaid.includes(name)))

const text = (value: unknown, version = 1): Uint8Array => new Uint8Array([version, ...new TextEncoder().encode(JSON.stringify(value))])

describe('a command', () => {
  test('decodes to what was encoded', () => {
    fc.assert(fc.property(wishArb, fc.string({ unit: 'grapheme-ascii', maxLength: 64 }), (wish, request) => {
      const command = asked(newborn(), wish, request)
      expect(decodeCommand(bytesOf(command))).toEqual(command)
    }))
  })

  test('that was changed anywhere is refused or is another command, written in the one way there is', () => {
    fc.assert(fc.property(wishArb, fc.nat(), fc.integer({ min: 1, max: 255 }), (wish, at, flip) => {
      const bytes = bytesOf(asked(newborn(), wish))
      const index = at % bytes.length
      bytes[index] = (bytes[index] ?? 0) ^ flip
      const decoded = decodeCommand(bytes)
      if (!('reason' in decoded)) expect(bytesOf(decoded)).toEqual(bytes)
    }), { numRuns: 2_000 })
  })

  test.each([
    ['of another version', text({}, 2), 'version 2 is unknown: upgrade'],
    ['of nothing', new Uint8Array(0), 'version none'],
    ['of no JSON', new Uint8Array([1, 0xff]), 'not a command'],
    ['of another kind', text({ kind: 'toString' }), 'not a command'],
    ['that is a list', text([]), 'not a command'],
    ['that is null', text(null), 'not a command'],
    ['without a field', text({ kind: 'pause', expectedEpoch: 1, at: 1, by: '' }), 'not a command'],
    ['with a field too many', text({ kind: 'pause', expectedEpoch: 1, at: 1, by: '', request: '', more: 1 }), 'not a command'],
    ['with fields in another order', text({ expectedEpoch: 1, kind: 'pause', at: 1, by: '', request: '' }), 'one way'],
    ['with a negative number', text({ kind: 'pause', expectedEpoch: -1, at: 1, by: '', request: '' }), 'not a command'],
    ['with control characters', text({ kind: 'pause', expectedEpoch: 1, at: 1, by: '\n', request: '' }), 'not a command'],
    ['with a list too long', text({ kind: 'prefer', expectedEpoch: 1, at: 1, by: '', request: '',
      preferences: Array.from({ length: 1_025 }, () => ({ shard: 1, replicas: [] })) }), 'not a command'],
    ['that is too large', new Uint8Array(COMMAND_BYTES_MAX + 1), 'above the limit'],
  ])('%s is refused', (_, bytes, reason) => {
    const decoded = decodeCommand(bytes)
    expect('reason' in decoded && decoded.reason).toContain(reason)
  })

  test('that breaks its limits has no bytes, but a reason', () => {
    const encoded = encodeCommand({ ...asked(newborn(), { kind: 'pause' }), by: 'x'.repeat(65) })
    expect('reason' in encoded && encoded.reason).toContain('out of its limits')
  })
})

describe('a state', () => {
  test('decodes to what was encoded, and encodes to the same bytes again', () => {
    fc.assert(fc.property(randomState, (state) => {
      const bytes = encodeState(state)
      const decoded = decodeState(bytes)
      expect(decoded).toEqual(state)
      expect(encodeState(decoded as ClusterState)).toEqual(bytes)
    }))
  })

  test('has the same bytes on every member that applied the same log', () => {
    fc.assert(fc.property(fc.array(wishArb, { maxLength: 60 }), fc.nat(60), (wishes, cut) => {
      let one = newborn({ size: 4 })
      let other = one
      wishes.forEach((wish, i) => {
        const command = asked(one, wish, `r${i}`)
        one = apply(one, command).state
        const decoded = decodeCommand(bytesOf(command))
        if ('reason' in decoded) throw new Error(decoded.reason)
        other = apply(other, decoded).state
        // The other member restarts from its snapshot on the way.
        if (i === cut) other = decodeState(encodeState(other)) as ClusterState
      })
      expect(encodeState(other)).toEqual(encodeState(one))
    }))
  })

  test('of a cluster at its first level is written as before there were levels, and of a later one with its level', () => {
    expect(encodeState(newborn())).toEqual(text(plain(newborn())))
    const raised = encodeState({ ...newborn(), level: 3 })
    expect(raised[0]).toBe(2)
    expect(decodeState(raised)).toEqual({ ...newborn(), level: 3 })
    expect(decodeState(text({ level: 1, state: plain(newborn()) }, 2))).toMatchObject({ reason: expect.stringContaining('one way') })
    const none = decodeState(text({ level: 0, state: plain(newborn()) }, 2))
    expect(none).toMatchObject({ reason: expect.stringContaining('no layout level') })
  })

  const broken: readonly (readonly [string, Partial<ClusterState>, string])[] = [
    ['lacks shards', { shards: [] }, 'shards are missing'],
    ['has its nodes in disorder', { nodes: [...newborn().nodes].reverse() }, 'not in order'],
    ['has a replica of an unknown node', { meta: { replicas: ['x:1' as never], move: null } }, 'meta make no sense'],
    ['has a generation to come', { nextGeneration: 1 }, 'make no sense'],
    ['has a group without replicas', { meta: { replicas: [], move: null } }, 'make no sense'],
    ['has a group twice on a node', { meta: { replicas: ['n1:1', 'n1:1'] as never, move: null } }, 'make no sense'],
    ['removes what is not there', { nextGeneration: 9,
      meta: { replicas: ['n1:1' as never], move: { id: 0, add: 'n2:3' as never, remove: 'n2:1' as never, step: 'adding', orderedAt: 1 } } },
    'make no sense'],
    ['has a move to come',
      { meta: { replicas: ['n1:1' as never], move: { id: 7, add: 'n2:1' as never, remove: null, step: 'adding', orderedAt: 1 } } },
      'move ids'],
    ['has a replica of no generation', { meta: { replicas: ['n1:0' as never], move: null } }, 'not a cluster state'],
    ['has a replica of no node', { meta: { replicas: [7 as never], move: null } }, 'not a cluster state'],
    ['has a cluster id of another kind', { cluster: 'x' as never }, 'not a cluster state'],
  ]
  test.each(broken)('that %s is refused', (_, change, reason) => {
    const decoded = decodeState(text({ ...plain(newborn()), ...change }))
    expect('reason' in decoded && decoded.reason).toContain(reason)
  })

  test('that is too large or of another version is refused', () => {
    expect(decodeState(new Uint8Array(STATE_BYTES_MAX + 1))).toMatchObject({ reason: expect.stringContaining('above the limit') })
    expect(decodeState(text(newborn(), 9))).toMatchObject({ reason: expect.stringContaining('version 9'), isNewer: true })
  })
})
