/** The genesis file against a power loss or an error at every call, a flip of every bit, and a directory that has data but no genesis. */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import type { Genesis } from '../../actors/wal/protocol.ts'
import { crc32 } from '../../storage/crc.ts'
import type { FileError } from '../../storage/fileSystem.ts'
import { readGenesis, writeGenesis } from '../../storage/genesis.ts'
import type { GenesisResult } from '../../storage/genesis.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import type { DiskCall, DiskFault, DiskImage, MemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { clusterId, nodeId } from '../../topology/ids.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import { createVirtualClock } from '../../torture/virtualClock.ts'

const genesis: Genesis = {
  cluster: clusterId('0123456789abcdef'), node: nodeId('a'), shardCount: 2, members: [nodeId('a'), nodeId('b')],
  replicas: [['a:1' as ReplicaId, 'b:1' as ReplicaId], ['b:1' as ReplicaId, 'a:1' as ReplicaId]], createdAtMs: 1_700_000_000_000,
}

interface Desk {
  readonly disk: MemoryFileSystem
  readonly read: () => GenesisResult | undefined
  readonly write: () => FileError | null | undefined
}

const desk = (options: { readonly image?: DiskImage; readonly fault?: (call: DiskCall) => DiskFault | undefined } = {}): Desk => {
  const clock = createVirtualClock()
  const disk = createMemoryFileSystem({ schedule: (fn) => clock.defer(fn), ...options })
  return {
    disk,
    read: () => {
      let found: GenesisResult | undefined
      readGenesis(disk, (result) => { found = result })
      clock.advance(1)
      return found
    },
    write: () => {
      let answer: FileError | null | undefined
      writeGenesis(disk, genesis, (error) => { answer = error })
      clock.advance(1)
      return answer
    },
  }
}

const withFile = (path: string, bytes: Uint8Array): DiskImage => ({ files: new Map([[path, bytes]]), directories: new Set(['']) })

describe('the genesis', () => {
  test('is written once, read back, and never replaced', () => {
    const { write, read, disk } = desk()
    expect(read()).toEqual({ kind: 'none' })
    expect(write()).toBeNull()
    expect(read()).toEqual({ kind: 'found', genesis })
    expect(write()).toMatchObject({ code: 'EEXIST' })
    expect(desk({ image: disk.crash({ random: createRandom(1), keep: 0 }) }).read()).toEqual({ kind: 'found', genesis })
  })

  test('is whole or absent, whichever call of its writing a power loss follows', () => {
    for (let last = 0; last < 14; last += 1) {
      for (const keep of [0, 0.5, 1]) {
        let calls = 0
        const { disk, write } = desk({ fault: () => {
          calls += 1
          return calls > last ? { kind: 'hang' } : undefined
        } })
        const answer = write()
        const again = desk({ image: disk.crash({ random: createRandom(last), keep }) })
        const found = again.read()
        expect(['none', 'found']).toContain(found?.kind)
        if (answer === null) expect(found).toEqual({ kind: 'found', genesis })
        if (found?.kind === 'none') expect(again.write()).toBeNull()
      }
    }
  })

  test('passes on every error of the disk', () => {
    for (let bad = 1; bad <= 9; bad += 1) {
      let calls = 0
      const { write } = desk({ fault: () => {
        calls += 1
        return calls === bad ? { kind: 'error', code: 'EIO' } : undefined
      } })
      expect([bad, write()?.code]).toEqual([bad, bad === 2 ? 'EEXIST' : 'EIO'])
    }
  })

  test('with any bit flipped is refused, and nothing is changed', () => {
    const { write, disk } = desk()
    write()
    const good = disk.image().files.get('genesis.json') ?? new Uint8Array(0)
    for (let at = 0; at < good.length - 1; at += 1) {
      const bytes = Uint8Array.from(good)
      bytes[at] = (bytes[at] ?? 0) ^ 1
      const { read, disk: other } = desk({ image: withFile('genesis.json', bytes) })
      const found = read()
      expect(found?.kind === 'found' ? found.genesis : found?.kind).toEqual('refused')
      expect(other.image().files.get('genesis.json')).toEqual(bytes)
    }
  })

  /** Found by the fuzz lane: it was handed on, and the node that began with it threw. */
  test('that is no genesis, under a checksum that is right, is refused', () => {
    const wrong = ['null', '7', '{}', JSON.stringify({ ...genesis, replicas: [] }), JSON.stringify({ ...genesis, members: ['b'] }),
      JSON.stringify({ ...genesis, createdAtMs: null })]
    for (const text of wrong) {
      const line = Buffer.from(`{"crc32":${crc32(Buffer.from(text))},"genesis":${text}}\n`)
      expect([text, desk({ image: withFile('genesis.json', line) }).read()]).toMatchObject([text, { kind: 'refused', reason: 'damaged' }])
    }
  })

  test('missing from a directory with anything in it is refused, with what to do', () => {
    const { read, write } = desk({ image: withFile('important', new Uint8Array(3)) })
    const message: unknown = expect.stringMatching(/holds important but no genesis.json.*mounted/)
    expect(read()).toMatchObject({ kind: 'refused', reason: 'missing', message })
    expect(write()).toMatchObject({ code: 'EEXIST' })
  })

  test('is not missed beside a lock or an interrupted write of its own', () => {
    for (const name of ['lock-0123456789abcdef.sock', 'genesis.json.tmp']) {
      const { read, write } = desk({ image: withFile(name, new Uint8Array(3)) })
      expect(read()).toEqual({ kind: 'none' })
      expect(write()).toBeNull()
    }
  })

  test('that can not be read is refused, not taken for absent', () => {
    const { disk, write } = desk()
    write()
    for (const operation of ['list', 'open', 'read']) {
      const fault = (call: DiskCall): DiskFault | undefined =>
        (call.operation === operation ? { kind: 'error', code: 'EIO' } : undefined)
      const { read } = desk({ image: disk.image(), fault })
      expect(read()).toMatchObject({ kind: 'refused', reason: 'unreadable' })
    }
    expect(desk({ fault: () => ({ kind: 'error', code: 'ENOENT' }) }).read()).toEqual({ kind: 'none' })
  })
})
