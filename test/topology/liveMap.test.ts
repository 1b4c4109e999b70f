/** The map in force on a node: newer only, durable first, and found again at the next start. */

import { describe, expect, test } from '@jest/globals'
import { adoptGenesis } from '../../actors/topology/clusterState.ts'
import { apply } from '../../actors/topology/apply.ts'
import { encodeState } from '../../actors/topology/codec.ts'
import { silentLogger } from '../../actors/kernel/log.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { writeMapFile } from '../../storage/mapFile.ts'
import { replaceFile } from '../../storage/replaceFile.ts'
import { createGenesis } from '../../topology/clusterMap.ts'
import { createLiveMap } from '../../topology/liveMap.ts'
import { clusterId, nodeId } from '../../topology/ids.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { FileSystem } from '../../storage/fileSystem.ts'

const genesisOf = (cluster: string) => must(createGenesis({
  cluster: clusterId(cluster), members: [nodeId('n1')], shardCount: 2, replicationFactor: 1, createdAtMs: 1,
})[0], 'a genesis')
const genesis = genesisOf('0123456789abcdef')
const born = adoptGenesis(genesis)

const later = (state: ClusterState): ClusterState =>
  apply(state, { kind: state.isPaused ? 'resume' : 'pause', expectedEpoch: state.epoch, at: 1, by: 'test', request: '' }).state

const createWorld = () => {
  const { clock, pass } = createVirtualWorld()
  const disk = createMemoryFileSystem({ schedule: (fn) => clock.defer(fn) })
  disk.makeDirectory('', () => {})
  pass(10)
  return { clock, pass, disk }
}
const open = ({ clock, pass, disk }: ReturnType<typeof createWorld>, fileSystem: FileSystem = disk) => {
  const changes: number[] = []
  const warnings: string[] = []
  const refusals: string[] = []
  const live = createLiveMap({
    genesis, fileSystem, clock, log: { ...silentLogger, warn: (_fields, message) => warnings.push(message) },
    onChange: () => changes.push(live.state().epoch), onNewer: (reason) => refusals.push(reason),
  })
  live.load(() => changes.push(0))
  pass(50)
  return { live, changes, warnings, refusals }
}

describe('the live map', () => {
  test('begins as the genesis, and takes a newer one once it is durable', () => {
    const world = createWorld()
    const { live, changes } = open(world)
    expect(live.map()).toMatchObject({ epoch: 1, shardCount: 2 })
    live.learn(later(born))
    expect(live.map().epoch).toBe(1)
    world.pass(50)
    expect(live.state()).toEqual({ ...later(born), history: [] })
    expect(changes).toEqual([0, 2])
    expect(open(world).live.map().epoch).toBe(2)
  })

  test('of a later version is not replaced by the genesis: the node must not start', () => {
    const world = createWorld()
    const { live } = open(world)
    live.learn(later(born))
    world.pass(50)
    const bytes = new Uint8Array([9, 0x7b, 0x7d])
    writeMapFile(world.disk, bytes, () => {})
    world.pass(50)
    const { changes, refusals } = open(world)
    expect([changes, refusals]).toEqual([[], [expect.stringContaining('version 9 is unknown: upgrade this node')]])
  })

  test('ignores what is not newer, and another cluster\'s', () => {
    const world = createWorld()
    const { live, changes } = open(world)
    live.learn(born)
    live.learn(later(later(adoptGenesis(genesisOf('fedcba9876543210')))))
    world.pass(50)
    expect(changes).toEqual([0])
    live.learn(later(later(born)))
    world.pass(50)
    live.learn(later(born))
    live.learn({ ...later(later(born)), nextMove: 9 })
    world.pass(50)
    expect([changes, live.state().nextMove]).toEqual([[0, 3], 1])
  })

  test('writes only the newest of several that come while it writes', () => {
    const world = createWorld()
    const { live, changes } = open(world)
    live.learn(later(born))
    live.learn(later(later(born)))
    live.learn(later(later(later(born))))
    world.pass(100)
    expect(changes).toEqual([0, 2, 4])
  })

  test('goes on with the one before while the disk is full, and takes the newer when there is room', () => {
    const world = createWorld()
    let isFull = true
    const full: FileSystem = {
      ...world.disk,
      open: (name, mode, done) => {
        if (isFull && mode === 'create') done(Object.assign(new Error('no space'), { code: 'ENOSPC' }), null as never)
        else world.disk.open(name, mode, done)
      },
    }
    const { live, warnings } = open(world, full)
    live.learn(later(born))
    world.pass(1_500)
    expect(live.map().epoch).toBe(1)
    expect(warnings.length).toBeGreaterThan(0)
    isFull = false
    world.pass(1_500)
    expect(live.map().epoch).toBe(2)
  })

  /** Each map that was learned began a chain of attempts of its own, and a cluster that moves learns many. */
  test('is written anew about once a second while the disk is full, however many are learned', () => {
    const world = createWorld()
    let attempts = 0
    const full: FileSystem = {
      ...world.disk,
      open: (name, mode, done) => {
        if (mode !== 'create') {
          world.disk.open(name, mode, done)
          return
        }
        attempts += 1
        world.clock.after(2, () => done(Object.assign(new Error('no space'), { code: 'ENOSPC' }), null as never))
      },
    }
    const { live } = open(world, full)
    let state = born
    for (let i = 0; i < 100; i += 1) {
      state = later(state)
      live.learn(state)
      world.pass(37)
    }
    attempts = 0
    world.pass(10_000)
    expect(attempts).toBeGreaterThan(5)
    expect(attempts).toBeLessThan(15)
    expect([live.state().epoch, live.learnedEpoch()]).toEqual([1, state.epoch])
  })

  test.each([
    ['cut short', Uint8Array.from([1, 2, 3])],
    ['damaged', Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8])],
  ])('starts from the genesis when its file is %s, and leaves the file alone', (_what, bytes) => {
    const world = createWorld()
    replaceFile(world.disk, { name: 'map.bin', bytes }, () => {})
    world.pass(50)
    const { live, warnings } = open(world)
    expect(live.map().epoch).toBe(1)
    expect(warnings).toEqual(['the file of the cluster map is not used; peers know it'])
  })

  test('starts from the genesis when the file holds what is no state, or another cluster\'s', () => {
    for (const bytes of [new Uint8Array([9, 9]), encodeState(later(adoptGenesis(genesisOf('fedcba9876543210'))))]) {
      const world = createWorld()
      writeMapFile(world.disk, bytes, () => {})
      world.pass(50)
      expect(open(world).live.map().epoch).toBe(1)
    }
  })
})
