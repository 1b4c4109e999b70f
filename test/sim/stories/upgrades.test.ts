/**
 * A cluster goes from one version to the next, node by node: the layout level is raised when all know the next one, and by nobody's hand;
 * what keeps it off; and what becomes of a node that comes back as the version before. ADR 0008. The next version is today's with other
 * layouts of log, snapshot and envelope (test/layouts/next.json).
 */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { createMemoryFileSystem } from '../../../storage/memoryFileSystem.ts'
import { createSnapshotFiles } from '../../../storage/snapshotFiles.ts'
import { createNode } from '../../../topology/node.ts'
import { newestState } from '../../../sim/mapFaults.ts'
import { readNextLayouts } from '../../../chaos/ground/nextBuild.ts'
import { loadNextNode } from '../../support/nextNode.ts'
import { createVirtualClock } from '../../../torture/virtualClock.ts'
import { tellStory } from '../story.ts'
import type { MemoryFileSystem } from '../../../storage/memoryFileSystem.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { NextNode } from '../../support/nextNode.ts'
import type { Story } from '../story.ts'

/** A machine that is shared by many is slow to copy and to compile. */
const PATIENCE_MS = 120_000
/** Beacons are heard for so long before anything is believed; and as long again. */
const LONG_MS = 8_000
const before = createNode
const layouts = readNextLayouts()
let loaded: NextNode | null = null
let next = createNode
let tell = (seed: number): Story => tellStory(seed)

beforeAll(async () => {
  loaded = await loadNextNode()
  next = loaded.createNode
  const { openEnvelope } = loaded
  tell = (seed) => tellStory(seed, { shards: 1, snapshotLogBytes: 2_048 }, { openEnvelope })
}, PATIENCE_MS)

afterAll(() => loaded?.remove())

const levelOf = ({ simulation }: Story): number => must(newestState(simulation.cluster), 'somebody runs').level
const levelOn = ({ node }: Machine): number => node?.report().level ?? 0
const everywhere = (story: Story, level: number): boolean => story.nodes.every((machine) => levelOn(machine) === level)

const restartAs = (story: Story, version: typeof createNode, ...machines: readonly Machine[]): void => {
  for (const machine of machines) {
    story.losePower(machine)
    machine.createNode = version
    story.start(machine)
    story.until(`${machine.id} serves`, () => machine.node?.state() === 'serving')
  }
}

const filesOf = ({ disk }: Machine, ending: string): readonly Uint8Array[] =>
  [...disk.copy().files].filter(([path]) => path.endsWith(ending)).map(([, bytes]) => bytes)

/** Between two lives: what the files of this kind say of their version; those that are only prepared say 0. */
const versionsOn = (machine: Machine, ending: '.wal' | '.snap'): readonly number[] =>
  [...new Set(filesOf(machine, ending).map((bytes) => bytes[8] ?? 0))].filter((version) => version > 0).sort()

/** The versions of what has gone from node to node since. */
const listen = ({ simulation }: Story): Set<number> => {
  const versions = new Set<number>()
  simulation.cluster.broker.connect({ name: 'c8' }).subscribe('skv.*.node.*.*', ({ data }) => versions.add(data[0] ?? 0))
  return versions
}

const cast = (story: Story): readonly [Machine, Machine, Machine] => story.nodes as [Machine, Machine, Machine]

describe('a rolling upgrade', () => {
  test('raises the level when the last node knows the next, everywhere, once, and every key is there', () => {
    const story = tell(951)
    const [n1, n2, n3] = cast(story)
    const spoken = listen(story)
    story.putMany('k', 5)
    restartAs(story, next, n1, n2)
    story.putMany('m', 20, 500)
    story.run(LONG_MS)
    expect(levelOf(story)).toBe(1)
    story.losePower(n1, n2, n3)
    for (const machine of story.nodes) expect([versionsOn(machine, '.wal'), versionsOn(machine, '.snap')]).toEqual([[2], [1]])
    expect([...spoken]).toEqual([1])

    story.start(n1, n2)
    n3.createNode = next
    story.start(n3)
    story.until('all are at level 2', () => everywhere(story, 2), 3 * LONG_MS)
    spoken.clear()
    story.putMany('m', 20, 500)
    story.put('after', 'the raise')
    story.losePower(n1, n2, n3)
    for (const machine of story.nodes) {
      expect(versionsOn(machine, '.wal')).toContain(layouts.segmentVersion)
      expect(versionsOn(machine, '.snap')).toContain(layouts.snapshotVersion)
    }
    expect([...spoken]).toEqual([layouts.envelopeVersion])
    story.start(n1, n2, n3)
    story.until('all are at level 2 again, from their disks', () => everywhere(story, 2))
    for (let i = 0; i < 5; i += 1) expect(story.get(`k${i}`)).toBe(String(i))
    expect(story.get('after')).toBe('the raise')
    expect(newestState(story.simulation.cluster)?.epoch).toBe(2)
    story.end()
  }, PATIENCE_MS)

  test('waits for a node that is down, since nobody knows what it will come back as', () => {
    const story = tell(952)
    const [n1, n2, n3] = cast(story)
    restartAs(story, next, n1, n3)
    story.run(LONG_MS)
    story.kill(n3)
    restartAs(story, next, n2)
    story.run(2 * LONG_MS)
    expect(levelOf(story)).toBe(1)
    story.start(n3)
    story.until('it is raised', () => everywhere(story, 2), 2 * LONG_MS)
    story.end()
  }, PATIENCE_MS)

  test('waits for a node that went back to the version before, whatever it told while it was another', () => {
    const story = tell(953)
    const [n1, n2, n3] = cast(story)
    restartAs(story, next, n1, n2)
    story.run(LONG_MS)
    restartAs(story, before, n1)
    restartAs(story, next, n3)
    story.run(2 * LONG_MS)
    expect(levelOf(story)).toBe(1)
    restartAs(story, next, n1)
    story.until('it is raised', () => everywhere(story, 2), 2 * LONG_MS)
    story.end()
  }, PATIENCE_MS)

  test('goes on under the next leader of the meta group', () => {
    const story = tell(954)
    const [n1, n2, n3] = cast(story)
    const leads = (machine: Machine): boolean => machine.node?.parts()?.host.meta()?.raft.role() === 'leader'
    restartAs(story, next, n1, n2, n3)
    story.until('somebody leads the meta group', () => story.nodes.some(leads))
    const dead = must(story.nodes.find(leads), 'somebody leads')
    story.losePower(dead)
    story.until('another leads it', () => story.nodes.some((machine) => machine !== dead && leads(machine)))
    story.start(dead)
    story.until('it is raised', () => everywhere(story, 2), 3 * LONG_MS)
    story.put('k', 'the first of the next layout')
    story.losePower(n1, n2, n3)
    const begun = story.nodes.filter((machine) => versionsOn(machine, '.wal').includes(layouts.segmentVersion))
    expect(begun.length).toBeGreaterThan(1)
    story.start(n1, n2, n3)
    expect(story.get('k')).toBe('the first of the next layout')
    story.end()
  }, PATIENCE_MS)
})

describe('a node of the version before', () => {
  test('refuses to start once the level is raised, by what is on its own disk, and changes nothing there', () => {
    const story = tell(955)
    const [n1, n2, n3] = cast(story)
    restartAs(story, next, n1, n2, n3)
    story.until('all are at level 2', () => everywhere(story, 2), 2 * LONG_MS)
    story.losePower(n3)
    n3.createNode = before
    story.isolate(n3)
    story.start(n3)
    n3.mayExit = 'refused'
    story.until('it has refused', () => n3.node === null && n3.lives > 2)
    story.put('k', 'without it')
    story.heal()
    n3.createNode = next
    story.start(n3)
    story.until('it is back', () => n3.node?.state() === 'serving')
    expect(story.get('k')).toBe('without it')
    story.end()
  }, PATIENCE_MS)

  test('is stopped by the map where the raise came while it was away, however it came about', () => {
    const story = tell(956)
    const [n1, n2, n3] = cast(story)
    restartAs(story, next, n1, n2)
    story.isolate(n3)
    const ask = n1.node
    ask?.propose({
      kind: 'raiseLevel', level: 2, knownBy: story.nodes.map(({ id }) => id), expectedEpoch: 1, at: 1, by: 'story', request: '',
    }, () => {})
    story.until('the two have raised it', () => levelOn(n1) === 2 && levelOn(n2) === 2, 2 * LONG_MS)
    story.put('k', 'by the two')
    n3.mayExit = 'refused'
    story.heal()
    story.until('the third has stopped', () => n3.node === null)
    n3.createNode = next
    story.start(n3)
    story.until('it is back', () => levelOn(n3) === 2 && n3.node?.state() === 'serving')
    expect(story.get('k')).toBe('by the two')
    story.end()
  }, PATIENCE_MS)
})

test('a snapshot of the next layout is taken from a peer only once its level is in force here, whatever the version', () => {
  const { createSnapshotFiles: nextFiles } = must(loaded, 'the next version is loaded')
  const clock = createVirtualClock()
  const disk = (): MemoryFileSystem => createMemoryFileSystem({ schedule: (fn) => clock.defer(fn) })
  const header = { group: 3, index: 7, term: 2, configuration: { epoch: 0, voters: [], outgoing: [], learners: [] } }
  const peers = disk()
  nextFiles({ fileSystem: peers, clock, level: () => 2 }).write(header, [new Uint8Array(99)][Symbol.iterator](), () => {})
  clock.advance(1)
  const [bytes = new Uint8Array(0)] = peers.image().files.values()
  const receive = (files: typeof nextFiles, level: number): string => {
    const own = disk()
    const store = files({ fileSystem: own, clock, level: () => level })
    let verdict = ''
    store.receive(3, 7, 2, 0, bytes, () => {})
    store.finishReceive(3, 7, 2, bytes.length, (error) => { verdict = error?.code ?? 'taken' })
    clock.advance(1)
    return `${verdict}, ${own.image().files.size} files`
  }
  expect([bytes[8], receive(nextFiles, 1), receive(nextFiles, 2), receive(createSnapshotFiles, 1)])
    .toEqual([2, 'ENEWER, 0 files', 'taken, 1 files', 'ENEWER, 0 files'])
})
