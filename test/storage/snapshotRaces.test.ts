/**
 * The files of one group's snapshots while much is done to them at once, on a disk whose calls take any time: replicas that write, receive,
 * prune and end, one after the other, as their actors do (actors/shard/actor.ts, actors/raft/actor.ts, topology/replicaHost.ts). Whatever
 * comes before what: nobody is told of what another one did, what is received is there to be appended to, and what was answered is there.
 */

import { expect, test } from '@jest/globals'
import { between, chance, createRandom } from '../../actors/kernel/random.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { createSnapshotFiles } from '../../storage/snapshotFiles.ts'
import { parseSnapshotName, snapshotName } from '../../storage/snapshotFormat.ts'
import { createSnapshotRig, fillOf, headerOf } from '../../torture/snapshotRig.ts'
import { createVirtualClock } from '../../torture/virtualClock.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { MemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import type { SnapshotStore } from '../../storage/snapshotStore.ts'
import type { VirtualClock } from '../../torture/virtualClock.ts'

const { group: GROUP, term: TERM } = headerOf(1)
const FOLDER = `snapshots/${GROUP}`
const SEEDS = 150
const LIVES = 3
const BYTES = 300
const PIECE_BYTES = 500
const QUIET_MS = 5_000

interface World {
  readonly random: Random
  readonly clock: VirtualClock
  readonly disk: MemoryFileSystem
  readonly store: SnapshotStore
  readonly problems: string[]
}

/** A snapshot as a peer has it. */
const fileAt = (index: number): Uint8Array => {
  const peer = createSnapshotRig()
  peer.write(index, fillOf(index, BYTES))
  return peer.disk.image().files.get(peer.pathOf(index)) ?? new Uint8Array(0)
}

interface Replica { readonly end: () => void; readonly newest: () => number }

const soon = ({ clock, random }: World, fn: () => void): void => { clock.after(between(random, 0, 40) / 10, fn) }

const replicaIn = (world: World): Replica => {
  const { random, store, problems } = world
  let isEnded = false
  let newest = 0
  let cancel = (): void => {}
  const check = (isRight: boolean, problem: string): void => {
    if (!isRight || isEnded) problems.push(`${problem}${isEnded ? ', after its end' : ''}`)
  }
  const stored = (index: number, then: () => void): void => {
    newest = Math.max(newest, index)
    store.prune(GROUP, { newest: 2, through: index, inUse: [] }, (error) => {
      if (error !== null) problems.push(`prune: ${String(error)}`)
      if (!isEnded) then()
    })
  }
  const writeNext = (): void => {
    if (isEnded) return
    const index = newest + between(random, 1, 3)
    cancel = store.write(headerOf(index), fillOf(index, BYTES)[Symbol.iterator](), (error) => {
      check(error === null, `write ${index}: ${String(error)}`)
      if (error === null && !isEnded) stored(index, () => soon(world, writeNext))
    })
  }
  const receiveNext = (): void => {
    if (isEnded) return
    const index = newest + between(random, 2, 9)
    const bytes = fileAt(index)
    const isGivenUp = chance(random, 0.3)
    const send = (offset: number): void => {
      if (isEnded || newest >= index || (isGivenUp && offset > 0)) {
        soon(world, receiveNext)
        return
      }
      if (offset === bytes.length) {
        store.finishReceive(GROUP, index, TERM, offset, (error) => {
          if (isEnded) return
          check(error === null || newest >= index, `finish ${index}: ${String(error)}`)
          if (error === null) stored(index, () => soon(world, receiveNext))
          else soon(world, receiveNext)
        })
        return
      }
      const piece = bytes.subarray(offset, offset + PIECE_BYTES)
      store.receive(GROUP, index, TERM, offset, piece, (error, length) => {
        if (isEnded) return
        const isThere = error === null && length === offset + piece.length
        check(isThere || newest >= index, `piece of ${index} at ${offset}: ${length} ${String(error)}`)
        soon(world, () => send(length))
      })
    }
    send(0)
  }
  soon(world, writeNext)
  soon(world, receiveNext)
  return {
    end: () => {
      isEnded = true
      cancel()
    },
    newest: () => newest,
  }
}

const leftOvers = (random: Random): Map<string, Uint8Array> => new Map(Array.from({ length: between(random, 0, 6) }, (_, at) => {
  const name = `${snapshotName(at + 1, TERM)}${chance(random, 0.5) ? '.receive' : '.part'}`
  return [`${FOLDER}/${name}`, new Uint8Array(10)] as const
}))

const problemsOf = (seed: number): readonly string[] => {
  const random = createRandom(seed)
  const clock = createVirtualClock()
  const latencyMs = (): number => (chance(random, 0.1) ? between(random, 5, 30) : between(random, 0, 10) / 10)
  const image = { files: leftOvers(random), directories: new Set(['', 'snapshots', FOLDER]) }
  const disk = createMemoryFileSystem({ schedule: (fn) => { clock.after(latencyMs(), fn) }, image })
  const store = createSnapshotFiles({ fileSystem: disk, clock })
  const world: World = { random, clock, disk, store, problems: [] }
  for (let life = 0; life < LIVES; life += 1) {
    const replica = replicaIn(world)
    clock.advance(between(random, 1, 400))
    replica.end()
    let isCleared = false
    if (life === LIVES - 1) break
    store.clear(GROUP, (error) => {
      isCleared = true
      if (error !== null) world.problems.push(`clear: ${String(error)}`)
      const left = [...disk.image().files.keys()]
      if (left.length > 0) world.problems.push(`left after the end: ${left.join(' ')}`)
    })
    if (!clock.runUntil(() => isCleared, QUIET_MS)) world.problems.push('clear is not answered')
  }
  clock.advance(QUIET_MS)
  for (const path of disk.image().files.keys()) {
    if (path.endsWith('.part')) world.problems.push(`${path} stays`)
    if (path.endsWith('.snap') && parseSnapshotName(path.slice(FOLDER.length + 1)) === undefined) world.problems.push(`${path} is no name`)
  }
  return world.problems.map((problem) => `seed ${seed}: ${problem}`)
}

test('whatever comes before what, nobody hears of what another did, and nothing that is in use is removed', () => {
  expect(Array.from({ length: SEEDS }, (_, at) => problemsOf(at + 1)).flat()).toEqual([])
})
