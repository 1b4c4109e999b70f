/** A simulated cluster in the ring, and in words: as it is, whatever its nodes believe. */

import { describe, expect, test } from '@jest/globals'
import { pictureOfScene, wordsOfScene } from '../../../observe/page/simulatorPicture.ts'
import type { GroupSeen, MachineSeen, Scene } from '../../../observe/simulator/protocol.ts'

const machine = (node: string, more: Partial<MachineSeen> = {}): MachineSeen =>
  ({ node, condition: 'running', isCut: false, suspectedBy: [], buriedBy: [], ...more })

const group = (more: Partial<GroupSeen> = {}): GroupSeen => ({
  shard: 0, leader: 'n1', term: 2, move: null,
  replicas: [{ node: 'n1', role: 'leader', term: 2 }, { node: 'n2', role: 'follower', term: 2 }, { node: 'n3', role: 'follower', term: 2 }],
  ...more,
})

const scene = (more: Partial<Scene> = {}): Scene => ({
  now: 1_000, isEnded: false, phase: 'faults', machines: ['n1', 'n2', 'n3'].map((node) => machine(node)), groups: [group()], events: 1,
  acknowledged: 1, digest: '0123456789abcdef', violation: null, ...more,
})

describe('a simulated cluster in words', () => {
  test('all is well', () => {
    expect(wordsOfScene(scene())).toEqual({ level: 'good', headline: 'Shard 0 is led by n1 in term 2', reasons: [] })
    expect(wordsOfScene(scene({ groups: [group(), group({ shard: 1 })] })).headline).toBe('Both shards have a leader')
  })

  test('who is dead, cut off or suspected, and by whom', () => {
    const { level, reasons } = wordsOfScene(scene({ machines: [
      machine('n1', { condition: 'dead', suspectedBy: ['n2', 'n3'] }),
      machine('n2', { isCut: true, condition: 'paused', buriedBy: ['n3'] }),
      machine('n3', { suspectedBy: ['n2'] }), machine('n4', { condition: 'unused' }),
    ] }))
    expect(level).toBe('warn')
    expect(reasons.map(({ text }) => text)).toEqual([
      'n1 is dead; n2 and n3 suspect it', 'n2 stands still and is cut off; n3 takes it for dead', 'n3 is there; n2 suspects it',
    ])
  })

  test('a deposed leader that does not know it, a move, and no leader at all', () => {
    const deposed = group({ leader: 'n2', term: 3, replicas: [
      { node: 'n1', role: 'leader', term: 2 }, { node: 'n2', role: 'leader', term: 3 }, { node: 'n3', role: 'away', term: 0 },
    ], move: { id: 4, add: 'n4:1', remove: 'n3:0', step: 'adding' } })
    expect(wordsOfScene(scene({ groups: [deposed] })).reasons.map(({ text }) => text)).toEqual([
      'n1 still believes that it leads shard 0, in term 2; n2 leads in term 3', 'shard 0 moves: n4 comes, n3 goes (adding)',
    ])
    expect(wordsOfScene(scene({ groups: [group({ leader: null })] }))).toMatchObject({ level: 'bad', headline: 'Shard 0 has no leader' })
    const healing = scene({ phase: 'healing', groups: [group({ leader: null }), group({ shard: 1, leader: null })] })
    expect(wordsOfScene(healing).headline).toBe('Everything heals; no shard has a leader')
  })

  test('an invariant that does not hold comes before everything else', () => {
    const violation = { invariant: 'one leader a term', text: 'n1 and n2 lead term 2' }
    expect(wordsOfScene(scene({ violation, groups: [group({ leader: null })] }))).toEqual({
      level: 'bad', headline: 'This does not hold: one leader a term', reasons: [{ level: 'bad', text: violation.text }],
    })
    expect(wordsOfScene(scene({ phase: 'ended' })).headline).toContain('every invariant held')
  })
})

test('the ring shows members as they are, and nobody who is not one', () => {
  const { nodes, shards } = pictureOfScene(scene({ machines: [
    machine('n1', { condition: 'dead', isCut: true }), machine('n2', { isCut: true }), machine('n3', { suspectedBy: ['n2'] }),
    machine('n4', { condition: 'unused' }), machine('n5', { condition: 'left' }), machine('n6', { condition: 'paused' }),
  ] }))
  expect(nodes.map(({ node, condition, leads }) => [node, condition, leads])).toEqual(
    [['n1', 'dead', 1], ['n2', 'cut', 0], ['n3', 'suspect', 0], ['n6', 'paused', 0]])
  expect(shards[0]?.replicas.map(({ role }) => role)).toEqual(['leader', 'follower', 'follower'])
})
