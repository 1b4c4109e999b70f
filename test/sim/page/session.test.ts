/** A simulated run that somebody watches and meddles with: pieces do not matter, deeds replay, and what is seen is what is there. */

import { describe, expect, test } from '@jest/globals'
import { defaultRun } from '../../../observe/simulator/address.ts'
import { createSession } from '../../../sim/page/session.ts'
import { drawOptions } from '../../../sim/options.ts'
import { runSeed } from '../../../sim/run.ts'
import type { Command, RunByHand } from '../../../observe/simulator/address.ts'
import type { Scene } from '../../../observe/simulator/protocol.ts'
import type { Session } from '../../../sim/page/session.ts'

const WAIT_MS_MAX = 30_000
const PIECE_MS = 50
const run: RunByHand = { ...defaultRun, seed: 7, shards: 1 }

const until = (session: Session, isSo: (scene: Scene) => boolean): Scene => {
  for (const end = session.now() + WAIT_MS_MAX; !isSo(session.scene()); session.advance(session.now() + PIECE_MS)) {
    if (session.now() <= end && !session.isEnded()) continue
    throw new Error(`not within ${WAIT_MS_MAX} virtual ms: ${JSON.stringify(session.scene())}`)
  }
  return session.scene()
}

const leaderOf = ({ groups }: Scene): string | null => groups[0]?.leader ?? null
const machineIn = ({ machines }: Scene, name: string) => machines.find(({ node }) => node === name)

describe('a run by hand', () => {
  test('of the seed of the story both shards have a leader after two seconds (docs/OBSERVATORY.md)', () => {
    const session = createSession({ run: { ...defaultRun, seed: 7 } })
    session.advance(2_000)
    expect(session.scene().groups.map(({ leader }) => leader === null)).toEqual([false, false])
  })

  test('a leader that is killed is suspected and succeeded; the same deeds at the same times, in other pieces, are the same run', () => {
    const session = createSession({ run })
    const first = leaderOf(until(session, (scene) => leaderOf(scene) !== null && scene.acknowledged > 0)) ?? ''
    expect(session.act({ deed: 'kill', node: first })).toBeNull()
    expect(session.act({ deed: 'pause', node: first })).toContain('makes no sense')
    until(session, (scene) => leaderOf(scene) !== null && leaderOf(scene) !== first)
    const others = (machineIn(until(session, (scene) => machineIn(scene, first)?.suspectedBy.length === 2), first)?.suspectedBy)
    expect(others).toEqual(['n1', 'n2', 'n3'].filter((node) => node !== first))
    expect(session.act({ deed: 'start', node: first })).toBeNull()
    session.advance(session.now() + 700)
    const back = session.scene()
    expect(machineIn(back, first)?.condition).toBe('running')
    expect(back.violation).toBeNull()
    const own = session.takeRecords().filter(({ node, kind }) => node === first && kind === 'state')
    expect(own.some(({ event }) => event.startsWith('follower'))).toBe(true)
    const again = createSession({ run: session.run() })
    again.advance(session.now())
    expect(again.scene()).toEqual(back)
  })

  test('what was to come is dropped when somebody does something else', () => {
    const commands: readonly Command[] = [{ at: 100, deed: 'cut', node: 'n1' }, { at: 400, deed: 'heal', node: 'n1' }]
    const session = createSession({ run: { ...run, commands } })
    session.advance(200)
    expect(machineIn(session.scene(), 'n1')?.isCut).toBe(true)
    expect(session.act({ deed: 'pause', node: 'n2' })).toBeNull()
    session.advance(500)
    expect(session.run()).toMatchObject({ commands: [commands[0], { at: 200, deed: 'pause', node: 'n2' }] })
    expect(session.scene().machines.slice(0, 2)).toMatchObject([{ isCut: true }, { condition: 'paused' }])
    expect([session.act({ deed: 'resume', node: 'n2' }), session.act({ deed: 'heal', node: 'n1' })]).toEqual([null, null])
    expect(session.act({ deed: 'kill', node: 'n9' })).toBe('there is no n9')
    expect(session.scene().machines.slice(0, 2)).toMatchObject([{ isCut: false }, { isCut: false }])
  })

  test('a node that joins is given replicas, and the one that is drained then leaves', () => {
    const session = createSession({ run })
    until(session, (scene) => leaderOf(scene) !== null)
    expect(machineIn(session.scene(), 'n4')?.condition).toBe('unused')
    session.act({ deed: 'join', node: 'n4' })
    until(session, (scene) => machineIn(scene, 'n4')?.condition === 'running')
    session.act({ deed: 'drain', node: 'n1' })
    until(session, ({ groups }) => groups[0]?.move?.add?.startsWith('n4') === true)
    const scene = until(session, (one) => machineIn(one, 'n1')?.condition === 'left')
    expect(scene.groups[0]?.replicas.map(({ node }) => node).sort()).toEqual(['n2', 'n3', 'n4'])
    expect(scene.violation).toBeNull()
  })
})

test('a drawn run in pieces is the run of "npm run sim", and nobody meddles with it', () => {
  const session = createSession({ run: {
    faults: 'drawn', seed: 30, nodes: 3, shards: 1, minutes: 0.02, commit: null, to: null, digest: null,
  } })
  expect(session.act({ deed: 'kill', node: 'n1' })).toContain('drawn')
  while (!session.isEnded()) session.advance(session.now() + 7)
  expect(session.scene().digest).toBe(runSeed(drawOptions(30, { nodes: 3, shards: 1, safetyMs: 1_200 })).traceHash)
})
