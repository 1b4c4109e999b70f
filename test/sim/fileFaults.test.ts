/** Files beside the log that are lost: what may be lost at once, what becomes of it, its marks, and that it is drawn beside the rest. */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { must } from '../../actors/kernel/assert.ts'
import { encodeConfiguration } from '../../actors/raft/membership.ts'
import { EntryKind } from '../../actors/raft/protocol.ts'
import { fileFaultKinds } from '../../sim/drawnApart.ts'
import { fileFaults, snapshotRot } from '../../sim/fileFaults.ts'
import { disagreement } from '../../sim/liveness.ts'
import { endsUnnamed } from '../../sim/invariants/endsUnnamed.ts'
import { newestState } from '../../sim/mapFaults.ts'
import { findsItself, mayLoseMaps } from '../../sim/mapKeepers.ts'
import { drawOptions } from '../../sim/options.ts'
import { viewOf } from '../../sim/replicaView.ts'
import { META_GROUP, nodeId, nodeOf, replicaId, shardId } from '../../topology/ids.ts'
import { after, n, newborn } from '../actors/topology/states.ts'
import { memberOf, tellStory } from './story.ts'
import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { Wish } from '../../actors/topology/protocol.ts'
import type { Machine } from '../../sim/cluster.ts'
import type { FaultAction } from '../../sim/faultContext.ts'
import type { SimOptions } from '../../sim/options.ts'
import type { GroupLedger, LedgerLine } from '../../sim/ledger.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Story } from './story.ts'

const strikeIn = (story: Story, action: FaultAction, machine: Machine, seed = 7): void => {
  const { cluster, network, timeline, trace, watch, options: { lostAfterMs } } = story.simulation
  action({
    cluster, network, timeline, trace, random: createRandom(seed), leaders: () => [], newestMap: watch.newestMap, isActive: () => true,
    lostAfterMs, restart: (ended, ms = 100) => { timeline.schedule(ms, () => cluster.start(ended)) },
  }, machine)
}
const marksOf = ({ simulation }: Story): Readonly<Record<string, number>> => simulation.marks.end()
const stateOf = ({ simulation }: Story): ClusterState => must(newestState(simulation.cluster), 'somebody runs')

/** The map is another than the genesis, and known everywhere. */
const changeMap = (story: Story, wish: Wish): void => {
  const { epoch } = stateOf(story)
  const asked = must(story.nodes.find(({ node }) => node !== null), 'somebody runs')
  story.until('the map is another', () => {
    asked.node?.propose({ ...wish, expectedEpoch: epoch, at: 1, by: 'story', request: 'w' }, () => {})
    return stateOf(story).epoch > epoch
  })
  story.until('all know', () => story.nodes.every(({ node }) => node === null || node.parts()?.live.state().epoch === stateOf(story).epoch))
}

const reweighed: Wish = { kind: 'setWeight', node: nodeId('n1'), weight: 2 }
const knowsAll = ({ nodes, simulation: { watch } }: Story): boolean =>
  nodes.every(({ node }) => node?.parts()?.live.state().epoch === watch.newestMap().epoch)

describe('the file of the map', () => {
  test.each(['mapLost', 'mapDamaged'] as const)('is not used any more, and learned again (%s)', (kind) => {
    const story = tellStory(711)
    story.put('k', 'v')
    changeMap(story, reweighed)
    const [victim] = story.followers()
    const struck = must(victim, 'a follower')
    const { lives } = struck
    strikeIn(story, fileFaults[kind], struck)
    expect([struck.node, struck.mapLeft]).toEqual([null, null])
    story.until('it is back', () => struck.lives > lives && struck.node?.parts() !== null)
    expect(struck.node?.parts()?.live.isFromFile()).toBe(false)
    story.until('it knows it again', () => knowsAll(story))
    expect(story.get('k')).toBe('v')
    story.end()
    const lost = kind === 'mapLost' ? 'the file of a cluster map was lost' : 'the file of a cluster map was damaged, and not used'
    expect(marksOf(story)).toMatchObject({ [lost]: 1, 'a node that had lost its cluster map had the newest again': 1 })
  })

  test('is lost by all at once where the genesis names the meta group', () => {
    const story = tellStory(712)
    story.put('k', 'v')
    changeMap(story, reweighed)
    strikeIn(story, fileFaults.mapsLost, must(story.nodes[0], 'a machine'))
    const struck = story.nodes.filter(({ node }) => node === null)
    expect(struck.length).toBeGreaterThanOrEqual(2)
    story.until('they know it again', () => knowsAll(story))
    expect(story.get('k')).toBe('v')
    story.end()
    expect(marksOf(story)['several nodes lost their cluster maps at once']).toBeGreaterThan(0)
  })

  test('is not lost where there is none yet', () => {
    const story = tellStory(713)
    story.put('k', 'v')
    const first = must(story.nodes[0], 'a machine')
    for (const kind of ['mapLost', 'mapDamaged', 'mapsLost'] as const) strikeIn(story, fileFaults[kind], first)
    expect(story.nodes.map(({ lives }) => lives)).toEqual([1, 1, 1])
    expect(story.nodes.every(({ node }) => node !== null)).toBe(true)
  })
})

test('the maps of those who alone could tell where the meta group is are not lost at once', () => {
  const born = newborn({ size: 4 })
  const home = n(4)
  const old = replicaId(n(1), 1)
  const begun = after(born, { kind: 'pause' }, { kind: 'beginMove', group: 'meta', add: home, remove: old, isPlanned: false })
  const promoted = after(begun, { kind: 'promote', move: born.nextMove })
  const moved = after(promoted, { kind: 'finish', move: born.nextMove, result: 'moved' })
  const machineOf = (id: string, map: ClusterState | null): Machine =>
    ({
      id, node: null, mapLeft: map, isInUse: true, isLost: false, isDamaged: false, soundFrom: 0, rotten: new Map(),
    }) as unknown as Machine
  const machines = [1, 2, 3, 4].map((i) => machineOf(`n${i}`, moved))
  const [first, second] = machines as [Machine, Machine]
  expect(moved.meta.replicas.map(nodeOf)).toEqual(expect.arrayContaining([n(2), n(3), n(4)]))
  // Two of three are the genesis' own, and find each other.
  expect(mayLoseMaps(machines, moved, machines)).toBe(true)
  // One of those counts for nothing: somebody has to name the new one.
  const harmed = machines.map((machine) => (machine === second ? { ...machine, isDamaged: true, soundFrom: 2 } : machine))
  expect(mayLoseMaps(harmed, moved, harmed)).toBe(false)
  expect(mayLoseMaps(harmed, moved, harmed.slice(1))).toBe(true)
  const ignorant = harmed.map((machine) => (machine.id === first.id ? { ...machine, mapLeft: born } : machine))
  expect(mayLoseMaps(ignorant, moved, ignorant.slice(1))).toBe(false)
  // Nobody has a map: of the meta group's n2, n3 and n4 the genesis names two, and needs both.
  const blank = machines.map((machine) => ({ ...machine, mapLeft: null }))
  expect(blank.map((machine) => findsItself(blank, moved, machine))).toEqual([true, false, false, true])
})

test('the file of a snapshot that is lost is damage, and what is missing is replaced', () => {
  const story = tellStory(714, { segmentBytes: 12 * 1_024, snapshotLogBytes: 4 * 1_024 })
  for (let i = 0; i < 4; i += 1) {
    story.putMany('k', 40, 200)
    strikeIn(story, fileFaults.snapshotLost, must(story.followers()[0], 'a follower'), i)
    story.run(500)
  }
  for (let i = 0; i < 40; i += 1) expect(Number.parseFloat(story.get(`k${i}`))).toBe(i)
  story.end()
  expect(marksOf(story)['the file of a snapshot was lost']).toBeGreaterThan(0)
})

test('snapshots that rot while their node lives keep nobody from catching up by them', () => {
  const story = tellStory(715, {
    segmentBytes: 12 * 1_024, snapshotLogBytes: 4 * 1_024, raftLimits: { tailEntriesMax: 0, tailBytesMax: 0, chunkBytesMax: 512 },
  })
  const leader = story.settledLeader()
  const away = must(story.followers()[0], 'a follower')
  for (let i = 0; i < 12; i += 1) {
    story.isolate(away)
    story.putMany('k', 40, 200)
    strikeIn(story, snapshotRot, leader, i)
    story.heal()
    story.until('it has them', () => story.revision(away) === story.revision(story.leader()), 20_000)
  }
  for (let i = 0; i < 40; i += 1) expect(Number.parseFloat(story.get(`k${i}`))).toBe(i)
  story.end()
  // By the path that the disk tells: of one group each, so that the machine as a whole is not excused.
  expect([leader.isDamaged, leader.rotten.size > 0]).toEqual([false, true])
  expect(marksOf(story)['a snapshot rotted while its node lived']).toBeGreaterThan(4)
})

test('a snapshot that rots excuses its replica of nothing but a quarantine, and its successor not even of that', () => {
  const story = tellStory(716, { segmentBytes: 12 * 1_024, snapshotLogBytes: 4 * 1_024 })
  story.putMany('k', 40, 200)
  const machine = must(story.followers()[0], 'a follower')
  strikeIn(story, snapshotRot, machine)
  const seen = (): readonly boolean[] => {
    const { isDamaged, hasDamagedDisk } = viewOf({ machine, replica: memberOf(machine), walBacklogBytes: 0 })
    return [isDamaged, hasDamagedDisk]
  }
  expect([...machine.rotten.keys(), ...seen()]).toEqual([0, false, true])
  story.until('it has everything', () => disagreement(story.simulation, [machine]) === null)
  story.isolate(machine)
  story.put('k', 'v')
  expect(disagreement(story.simulation, [machine])).toContain(`${machine.id} has applied`)
  machine.rotten.set(0, 1)
  expect(seen()).toEqual([false, false])
  machine.soundFrom = 2
  expect(seen()[0]).toBe(true)
})

test('a snapshot that rots costs its replica nothing that it promised', () => {
  const story = tellStory(717, { segmentBytes: 12 * 1_024, snapshotLogBytes: 4 * 1_024 })
  story.putMany('k', 80, 200)
  const { id } = memberOf(story.settledLeader())
  const voter = must(story.followers().find((machine) => memberOf(machine).raft.status().vote === id), 'somebody has voted for it')
  strikeIn(story, snapshotRot, voter)
  story.kill(voter)
  story.start(voter)
  story.until('it is back', () => voter.node?.state() === 'serving')
  expect([voter.rotten.has(0), story.report(voter).quarantined]).toEqual([true, undefined])
  for (let i = 0; i < 80; i += 1) expect(Number.parseFloat(story.get(`k${i}`))).toBe(i)
  story.end()
})

type LedgerOf = Pick<GroupLedger, 'lines'>

/** A group that has committed configurations of these voters, one after the other. */
const ledgerWith = (...groups: readonly (readonly string[])[]): LedgerOf => ({
  lines: groups.map((voters, i): LedgerLine => ({
    entry: {
      index: i + 1, term: 1, kind: EntryKind.configuration,
      payload: encodeConfiguration({ epoch: i, voters: voters as readonly ReplicaId[], outgoing: [], learners: [] }),
    },
    committedAt: 0, revision: 0, keys: 0, timeMs: 0,
  })),
})
const withoutShards = (state: ClusterState): ClusterState => ({ ...state, shards: [] })

test('a replica may end when the newest map does not name it, or damage has harmed it', () => {
  const born = newborn({ size: 3 })
  const begun = after(born, { kind: 'addNode', node: n(4), weight: 1, zone: '' },
    { kind: 'beginMove', group: shardId(0), add: n(4), remove: replicaId(n(1), 1), isPlanned: true })
  const nothing = { lines: [] }
  const problem = (group: number, replica: string, state: ClusterState, isHarmed = false, ledger: LedgerOf = nothing) => endsUnnamed(
    {
      who: replica.slice(0, 2), what: 'node',
      details: `a replica ends here: the map names it no longer group=${group} replica=${replica}`,
    },
    { newest: () => state, ledgerOf: () => ledger, isHarmed: () => isHarmed })
  expect(problem(0, 'n4:2', begun)).toContain('ends n4:2 of group 0, which the map of epoch 3 names')
  expect(problem(META_GROUP, 'n1:1', begun)).toContain('group meta')
  expect([problem(0, 'n4:2', begun, true), problem(0, 'n4:2', born), problem(1, 'n4:2', begun)]).toEqual([null, null, null])
  const state = { who: 'n1', what: 'node', details: 'node state' }
  expect(endsUnnamed(state, { newest: () => born, ledgerOf: () => nothing, isHarmed: () => false })).toBe(null)
  const committed = ledgerWith(['n1:1', 'n2:1', 'n4:2'], ['n1:1', 'n2:1', 'n3:1'])
  expect(problem(1, 'n3:1', withoutShards(born), false, committed)).toBe('node n3 ends n3:1, which has a vote in group 1')
  expect(problem(1, 'n4:2', born, false, committed)).toBe(null)
})

describe('what is drawn', () => {
  const seeds = Array.from({ length: 400 }, (_, i) => drawOptions(i + 1))
  const share = (is: (options: SimOptions) => boolean): number => seeds.filter(is).length / seeds.length

  test('is met by a fair share of the seeds, and is not there where the faults are given', () => {
    for (const kind of fileFaultKinds) {
      const part = share((options) => options.fileFaults.includes(kind))
      expect([kind, part > 0.05, part < 0.5]).toEqual([kind, true, true])
    }
    const rotting = share(({ rotEveryMs }) => rotEveryMs > 0)
    expect([rotting > 0.08, rotting < 0.3]).toEqual([true, true])
    const resting = share(({ shardLimits }) => shardLimits.restLogBytesMin !== undefined)
    expect([resting > 0.2, resting < 0.6]).toEqual([true, true])
    const given = seeds.map(({ seed }) => drawOptions(seed, { faults: ['crash'] }))
    expect(given.filter(({ fileFaults: kinds, rotEveryMs }) => kinds.length > 0 || rotEveryMs > 0)).toEqual([])
  })
})

test('a shard that is written no more writes a snapshot of what its log is too short for, on the scale of the run', () => {
  const rest = { restMs: 1_000, restBytesMax: 64, restLogBytesMin: 2_048 }
  const snapshotsAfter = (shardLimits: SimOptions['shardLimits']): readonly (number | undefined)[] => {
    const story = tellStory(715, { snapshotLogBytes: 1_048_576, shardLimits })
    story.putMany('k', 20, 100)
    story.run(5_000)
    story.end()
    const { 'a snapshot was written': written, 'a snapshot was written of a shard at rest': atRest } = marksOf(story)
    return [written, atRest]
  }
  expect(snapshotsAfter({})).toEqual([0, 0])
  expect(snapshotsAfter(rest)).toEqual([3, 3])
})
