/** The genesis file against a power loss or an error at every call, a flip of every bit, and a directory that has data but no genesis. */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { crc32 } from '../../storage/crc.ts'
import type { DiskCall, DiskFault, DiskImage } from '../../storage/memoryFileSystem.ts'
import { genesis, openDesk } from '../../torture/genesisDesk.ts'

const withFile = (path: string, bytes: Uint8Array): DiskImage => ({ files: new Map([[path, bytes]]), directories: new Set(['']) })

describe('the genesis', () => {
  test('is written once, read back, and never replaced', () => {
    const { write, read, disk } = openDesk()
    expect(read()).toEqual({ kind: 'none' })
    expect(write()).toBeNull()
    expect(read()).toEqual({ kind: 'found', genesis })
    expect(write()).toMatchObject({ code: 'EEXIST' })
    expect(openDesk({ image: disk.crash({ random: createRandom(1), keep: 0 }) }).read()).toEqual({ kind: 'found', genesis })
  })

  test('is whole or absent, whichever call of its writing a power loss follows', () => {
    for (let last = 0; last < 14; last += 1) {
      for (const keep of [0, 0.5, 1]) {
        let calls = 0
        const { disk, write } = openDesk({ fault: () => {
          calls += 1
          return calls > last ? { kind: 'hang' } : undefined
        } })
        const answer = write()
        const again = openDesk({ image: disk.crash({ random: createRandom(last), keep }) })
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
      const { write } = openDesk({ fault: () => {
        calls += 1
        return calls === bad ? { kind: 'error', code: 'EIO' } : undefined
      } })
      expect([bad, write()?.code]).toEqual([bad, bad === 2 ? 'EEXIST' : 'EIO'])
    }
  })

  test('with any bit flipped is refused, and nothing is changed', () => {
    const { write, disk } = openDesk()
    write()
    const good = disk.image().files.get('genesis.json') ?? new Uint8Array(0)
    for (let at = 0; at < good.length - 1; at += 1) {
      const bytes = Uint8Array.from(good)
      bytes[at] = (bytes[at] ?? 0) ^ 1
      const { read, disk: other } = openDesk({ image: withFile('genesis.json', bytes) })
      const found = read()
      expect(found?.kind === 'found' ? found.genesis : found?.kind).toEqual('refused')
      expect(other.image().files.get('genesis.json')).toEqual(bytes)
    }
  })

  /** Found by the fuzz lane: it was handed on, and the node that began with it threw. */
  test('that is no genesis, under a checksum that is right, is refused', () => {
    const wrong = ['null', '7', '{}', JSON.stringify({ ...genesis, replicas: [] }), JSON.stringify({ ...genesis, members: [] }),
      JSON.stringify({ ...genesis, createdAtMs: null }), JSON.stringify({ ...genesis, hasJoined: 'yes' })]
    for (const text of wrong) {
      const line = Buffer.from(`{"crc32":${crc32(Buffer.from(text))},"genesis":${text}}\n`)
      const found = openDesk({ image: withFile('genesis.json', line) }).read()
      expect([text, found]).toMatchObject([text, { kind: 'refused', reason: 'damaged' }])
    }
  })

  test('of a node that joined later names it beside the members that the cluster was born with', () => {
    // A build of before `hasJoined` reads it as this one reads what it does not know: under the checksum of all that is there.
    for (const more of [{}, { hasJoined: true }, { hasJoined: true, ofTomorrow: 1 }]) {
      const joined = { ...genesis, node: 'c', ...more }
      const text = JSON.stringify(joined)
      const line = Buffer.from(`{"crc32":${crc32(Buffer.from(text))},"genesis":${text}}\n`)
      expect(openDesk({ image: withFile('genesis.json', line) }).read()).toEqual({ kind: 'found', genesis: joined })
    }
  })

  test('missing from a directory with anything in it is refused, with what to do', () => {
    const { read, write } = openDesk({ image: withFile('important', new Uint8Array(3)) })
    const message: unknown = expect.stringMatching(/holds important but no genesis.json.*mounted/)
    expect(read()).toMatchObject({ kind: 'refused', reason: 'missing', message })
    expect(write()).toMatchObject({ code: 'EEXIST' })
  })

  test('missing from the top of a file system is refused too, with a word about a folder below it', () => {
    const holding = (...names: readonly string[]) =>
      openDesk({ image: { files: new Map(names.map((name) => [name, new Uint8Array(0)])), directories: new Set(['']) } })
    const message: unknown = expect.stringMatching(/holds lost\+found but no genesis.json: .*--dir DIR\/NAME.*mounted/)
    expect(holding('lost+found', 'lock-0123456789abcdef.sock').read()).toMatchObject({ kind: 'refused', reason: 'missing', message })
    expect(holding('lost+found').write()).toMatchObject({ code: 'EEXIST' })
    expect(holding('lost+found', 'wal').read()).toMatchObject({ message: expect.not.stringContaining('DIR/NAME') })
  })

  test('is not missed beside a lock or an interrupted write of its own', () => {
    for (const name of ['lock-0123456789abcdef.sock', 'genesis.json.tmp']) {
      const { read, write } = openDesk({ image: withFile(name, new Uint8Array(3)) })
      expect(read()).toEqual({ kind: 'none' })
      expect(write()).toBeNull()
    }
  })

  test('that can not be read is refused, not taken for absent', () => {
    const { disk, write } = openDesk()
    write()
    for (const operation of ['list', 'open', 'read']) {
      const fault = (call: DiskCall): DiskFault | undefined =>
        (call.operation === operation ? { kind: 'error', code: 'EIO' } : undefined)
      const { read } = openDesk({ image: disk.image(), fault })
      expect(read()).toMatchObject({ kind: 'refused', reason: 'unreadable' })
    }
    expect(openDesk({ fault: () => ({ kind: 'error', code: 'ENOENT' }) }).read()).toEqual({ kind: 'none' })
  })
})
