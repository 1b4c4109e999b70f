/**
 * Snapshots and their transfer against flips of every bit, cuts at every byte, swapped names, pieces that do not fit, and a power loss or
 * an error at every call.
 */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { crc32 } from '../../storage/crc.ts'
import type { Done, FileError } from '../../storage/fileSystem.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import type { DiskCall, DiskFault, DiskImage, MemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { createSnapshotFiles } from '../../storage/snapshotFiles.ts'
import type { SnapshotHeader, SnapshotInfo, SnapshotStore } from '../../storage/snapshotStore.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import { createVirtualClock } from '../../torture/virtualClock.ts'
import type { VirtualClock } from '../../torture/virtualClock.ts'

const headerOf = (index: number, group = 3): SnapshotHeader =>
  ({ group, index, term: 2, configuration: { epoch: 0, voters: ['a:1' as ReplicaId], outgoing: [], learners: ['b:2' as ReplicaId] } })
const chunksOf = (fill: number): Uint8Array[] => Array.from({ length: 3 }, (_, at) => new Uint8Array(1_500 + at).fill(fill + at))

interface Rig {
  readonly clock: VirtualClock
  readonly disk: MemoryFileSystem
  readonly store: SnapshotStore
  readonly ask: <T>(call: (done: Done<T>) => void) => { readonly error: FileError | null; readonly result: T } | undefined
  readonly write: (index: number, fill: number) => { readonly error: FileError | null; readonly result: SnapshotInfo } | undefined
  readonly load: (info: SnapshotInfo) => { readonly chunks: Uint8Array[]; readonly error: FileError | null | undefined }
  readonly good: () => readonly number[]
}

const rigOf = (options: { readonly image?: DiskImage; readonly fault?: (call: DiskCall) => DiskFault | undefined } = {}): Rig => {
  const clock = createVirtualClock()
  const disk = createMemoryFileSystem({ schedule: (fn) => clock.defer(fn), ...options })
  const store = createSnapshotFiles({ fileSystem: disk, clock })
  const ask: Rig['ask'] = (call) => {
    let answer: ReturnType<Rig['ask']>
    call((error, result) => { answer = { error, result } })
    clock.advance(1)
    return answer as never
  }
  return {
    clock, disk, store, ask,
    write: (index, fill) => ask((done) => store.write(headerOf(index), chunksOf(fill)[Symbol.iterator](), done)),
    load: (info) => {
      const chunks: Uint8Array[] = []
      const answer = ask((done) => store.load(info, (bytes) => chunks.push(bytes), done))
      return { chunks, error: answer?.error }
    },
    good: () => ask<Listing>((done) => store.list(3, done))?.result.good.map(({ index }) => index) ?? [],
  }
}
type Listing = Parameters<Parameters<SnapshotStore['list']>[1]>[1]

const fileOf = (rig: Rig, index: number): string =>
  [...rig.disk.image().files.keys()].find((path) => path.includes(`${index}-2.snap`)) ?? ''

/** Sends a whole file in pieces, as a transfer does. */
const transfer = (from: Rig, info: SnapshotInfo, to: Rig, pieceBytes = 1_000): number => {
  let offset = 0
  while (offset < info.totalBytes) {
    const range = from.ask<Uint8Array>((done) => from.store.readRange(3, info.index, info.term, offset, pieceBytes, done))
    const piece = range?.result ?? new Uint8Array(0)
    const answer = to.ask<number>((done) => to.store.receive(3, info.index, info.term, offset, piece, done))
    if (answer === undefined || answer.error !== null) return offset
    offset = answer.result
  }
  return offset
}

describe('a snapshot', () => {
  test('comes back chunk by chunk, with its header', () => {
    const rig = rigOf()
    const info = rig.write(7, 10)?.result
    expect(info).toMatchObject(headerOf(7))
    expect(rig.load(info as SnapshotInfo)).toEqual({ chunks: chunksOf(10), error: null })
    expect(rig.ask<Listing>((done) => rig.store.list(3, done))?.result).toEqual({ good: [info], damaged: [] })
    expect(rig.ask<Listing>((done) => rig.store.list(99, done))?.result).toEqual({ good: [], damaged: [] })
  })

  test('is pulled one chunk a turn, and not a chunk more once it is cancelled', () => {
    const rig = rigOf()
    let pulled = 0
    const endless: Iterator<Uint8Array> = { next: () => {
      pulled += 1
      return { done: false, value: new Uint8Array(10) }
    } }
    let answers = 0
    const cancel = rig.store.write(headerOf(7), endless, () => { answers += 1 })
    rig.clock.runUntil(() => pulled === 5)
    cancel()
    rig.clock.advance(10)
    expect([pulled, answers, [...rig.disk.image().files.keys()]]).toEqual([5, 0, []])
  })

  /**
   * Story: 1. A replica ends while its 7 is verified; its files go, another one begins, and is sent 5. 2. Then 7 got its name, and 5 went.
   */
  test('that is cancelled, however late, is spoken of no more, and leaves nothing where all files of its group go', () => {
    for (let call = 1; call < 60; call += 1) {
      let [calls, answers] = [0, 0]
      const rig = rigOf({ fault: () => void (calls += 1) })
      const cancel = rig.store.write(headerOf(7), chunksOf(1)[Symbol.iterator](), () => {
        answers += 1
        rig.store.prune(3, { newest: 2, through: 7, inUse: [] }, () => {})
      })
      rig.clock.runUntil(() => calls === call)
      const before = answers
      cancel()
      rig.store.clear(3, () => rig.store.receive(3, 5, 2, 0, new Uint8Array(100), () => {}))
      rig.clock.advance(1)
      const piece = rig.ask<number>((done) => rig.store.receive(3, 5, 2, 100, new Uint8Array(100), done))
      const files = [...rig.disk.image().files.keys()]
      expect([call, answers, piece?.result, files]).toEqual([call, before, 200, ['snapshots/3/0000000000000005-2.snap.receive']])
    }
  })

  test('may be empty', () => {
    const rig = rigOf()
    const info = rig.ask<SnapshotInfo>((done) => rig.store.write(headerOf(7), [][Symbol.iterator](), done))?.result
    expect(rig.load(info as SnapshotInfo)).toEqual({ chunks: [], error: null })
  })

  test('with any bit flipped, or cut at any byte, or longer than written, is named damaged, and the older one is still there', () => {
    const rig = rigOf()
    rig.write(5, 1)
    rig.write(7, 10)
    const path = fileOf(rig, 7)
    const image = rig.disk.image()
    const bytes = image.files.get(path) ?? new Uint8Array(0)
    const damaged: Uint8Array[] = [Uint8Array.of(...bytes, 0)]
    for (let at = 0; at < bytes.length; at += at < 200 || at > bytes.length - 40 ? 1 : 23) {
      const flipped = Uint8Array.from(bytes)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
      damaged.push(flipped, bytes.slice(0, at))
    }
    for (const bad of damaged) {
      const again = rigOf({ image: { ...image, files: new Map([...image.files, [path, bad]]) } })
      const { good, damaged: named } = again.ask<Listing>((done) => again.store.list(3, done))?.result ?? { good: [], damaged: [] }
      expect([good.map(({ index }) => index), named]).toEqual([[5], ['0000000000000007-2.snap']])
      expect(again.ask((done) => again.store.prune(3, { newest: 2, through: 9, inUse: [] }, done))?.error).toBeNull()
      expect([...again.disk.image().files.keys()].length).toBe(2)
    }
  })

  /** Found by the fuzz lane: a header whose checksum is right and whose text is no header ended the process. */
  test('whose header is no header, under a checksum that is right, is named damaged', () => {
    const rig = rigOf()
    rig.write(5, 1)
    rig.write(7, 10)
    const path = fileOf(rig, 7)
    for (const [from, to] of [['"group":', '"gro"p":'], ['"group":3', '"group":0'], ['"voters":["a:1"]', '"voters": "a:1" ']] as const) {
      const image = rig.disk.image()
      const bytes = Buffer.from(image.files.get(path) ?? [])
      bytes.write(bytes.toString('latin1').replace(from, to), 'latin1')
      const headerEnd = 16 + bytes.readUInt32LE(12)
      bytes.writeUInt32LE(0, 4)
      bytes.writeUInt32LE(crc32(bytes.subarray(0, headerEnd)), 4)
      const trailer = bytes.length - 16
      bytes.writeUInt32LE(crc32(bytes.subarray(0, trailer)), trailer + 4)
      bytes.writeUInt32LE(crc32(bytes.subarray(trailer, trailer + 12)), trailer + 12)
      const again = rigOf({ image: { ...image, files: new Map([...image.files, [path, bytes]]) } })
      expect([from, again.good()]).toEqual([from, [5]])
    }
  })

  test('under another one\'s name is damaged', () => {
    const rig = rigOf()
    rig.write(5, 1)
    rig.ask((done) => rig.disk.rename(fileOf(rig, 5), 'snapshots/3/0000000000000009-2.snap', done))
    expect(rig.ask<Listing>((done) => rig.store.list(3, done))?.result).toEqual({ good: [], damaged: ['0000000000000009-2.snap'] })
  })

  test('that is damaged while it is loaded ends in EDAMAGED', () => {
    const rig = rigOf()
    const info = rig.write(7, 10)?.result as SnapshotInfo
    rig.disk.corrupt(fileOf(rig, 7), (bytes) => { bytes[bytes.length - 100] = 0xfe })
    expect(rig.load(info).chunks).toEqual(chunksOf(10).slice(0, 2))
    expect(rig.load(info).error).toMatchObject({ code: 'EDAMAGED', message: expect.stringMatching(/use the previous snapshot/) })
    expect(rig.load({ ...info, index: 8 }).error).toMatchObject({ code: 'ENOENT' })
    expect(rig.ask((done) => rig.store.readRange(3, 8, 2, 0, 10, done))?.error).toMatchObject({ code: 'ENOENT' })
  })

  test('that was answered survives, and one that was not is whole or absent, whichever call a power loss follows', () => {
    const before = rigOf()
    before.write(5, 1)
    const image = before.disk.image()
    for (let last = 0; last < 60; last += 1) {
      for (const keep of [0, 0.5, 1]) {
        let calls = 0
        const rig = rigOf({ image, fault: () => {
          calls += 1
          return calls > last ? { kind: 'hang' } : undefined
        } })
        const answer = rig.write(7, 10)
        const again = rigOf({ image: rig.disk.crash({ random: createRandom(last), keep }) })
        const good = again.good()
        expect(good).toContain(5)
        if (answer?.error === null) expect(good).toEqual([7, 5])
        again.ask((done) => again.store.prune(3, { newest: 2, through: 9, inUse: [] }, done))
        expect([...again.disk.image().files.keys()].every((path) => path.endsWith('.snap'))).toBe(true)
        expect(again.write(9, 3)?.error).toBeNull()
      }
    }
  })

  test('is not answered when any of its calls fails, and the older one stays', () => {
    for (const code of ['EIO', 'ENOSPC']) {
      for (let bad = 1; bad < 60; bad += 1) {
        const before = rigOf()
        before.write(5, 1)
        let calls = 0
        let hit = ''
        const rig = rigOf({ image: before.disk.image(), fault: ({ operation }) => {
          calls += 1
          if (calls !== bad) return undefined
          hit = operation
          return { kind: 'error', code }
        } })
        const answer = rig.write(7, 10)
        if (hit !== '' && hit !== 'remove') expect([bad, hit, answer?.error?.code]).toEqual([bad, hit, code])
        expect(rigOf({ image: rig.disk.image() }).good()).toContain(5)
      }
    }
  })

  test('is written whole through short writes', () => {
    const rig = rigOf({ fault: ({ operation, bytes }) =>
      (operation === 'writev' && bytes > 7 ? { kind: 'short', bytes: Math.ceil(bytes / 2) } : undefined) })
    const info = rig.write(7, 10)?.result as SnapshotInfo
    expect(rig.load(info)).toEqual({ chunks: chunksOf(10), error: null })
  })

  test('whose name could not be synced does not count among those that are kept', () => {
    let fails = false
    const rig = rigOf({ fault: ({ operation }) => (fails && operation === 'syncDirectory' ? { kind: 'error', code: 'EIO' } : undefined) })
    rig.write(3, 3)
    fails = true
    expect(rig.write(5, 5)?.error?.code).toBe('EIO')
    fails = false
    rig.write(7, 7)
    rig.ask((done) => rig.store.prune(3, { newest: 2, through: 9, inUse: [] }, done))
    expect(rig.good()).toEqual([7, 5, 3])
  })

  test('is pruned when enough newer ones were verified, and left-overs with it', () => {
    const rig = rigOf()
    for (const index of [3, 5, 7]) rig.write(index, index)
    expect(rig.ask((done) => rig.store.prune(3, { newest: 2, through: 9, inUse: [] }, done))?.error).toBeNull()
    expect(rig.good()).toEqual([7, 5])
    expect(rig.ask((done) => rig.store.prune(42, { newest: 2, through: 9, inUse: [] }, done))?.error).toBeNull()
  })

  /**
   * Story: 1. Snapshots 900 and 1000 are left from an installation that crashed before its record, or from an earlier life; the log ends at
   * 850. 2. The replica writes 850. 3. The two newest files were kept: 850, from which alone it could start, was removed.
   */
  test('beyond what the log has reached takes no place of those that are kept, and stays until the log has passed it', () => {
    const earlier = rigOf()
    for (const index of [900, 1_000]) earlier.write(index, 1)
    const rig = rigOf({ image: earlier.disk.image() })
    expect(rig.good()).toEqual([1_000, 900])
    const keptAt = (index: number): readonly number[] => {
      expect(rig.write(index, 1)?.error).toBeNull()
      rig.ask((done) => rig.store.prune(3, { newest: 2, through: index, inUse: [] }, done))
      return rig.good()
    }
    expect([850, 860, 870, 1_100].map(keptAt)).toEqual([
      [1_000, 900, 850], [1_000, 900, 860, 850], [1_000, 900, 870, 860], [1_100, 1_000],
    ])
  })

  test('that is looked at again is damaged when a bit has turned over, it can not be read or it is gone, not without descriptors', () => {
    let code = ''
    const rig = rigOf({ fault: ({ operation }) => {
      const isHit = (code === 'EIO' && operation === 'read') || (code === 'EMFILE' && operation === 'open')
      return isHit ? { kind: 'error', code } : undefined
    } })
    for (const index of [3, 5, 7]) rig.write(index, index)
    const verify = (index: number, withCode = ''): unknown => {
      code = withCode
      const answer = rig.ask<boolean>((done) => rig.store.verify(3, index, 2, done))
      code = ''
      return [answer?.error?.code, answer?.result]
    }
    expect([verify(7), verify(7, 'EMFILE'), verify(9), verify(7, 'EIO')])
      .toEqual([[undefined, true], ['EMFILE', true], [undefined, false], [undefined, false]])
    expect(verify(7)).toEqual([undefined, true])
    rig.disk.corrupt(fileOf(rig, 7), (bytes) => { bytes[bytes.length - 100] = 0xfe })
    expect(verify(7)).toEqual([undefined, false])
    // It takes no place of those that are kept.
    rig.ask((done) => rig.store.prune(3, { newest: 2, through: 9, inUse: [] }, done))
    expect(rig.good()).toEqual([5, 3])
    rig.write(7, 7)
    expect([verify(7), rig.good()]).toEqual([[undefined, true], [7, 5, 3]])
  })

  test('that can not be looked at at a start is not called damaged: without descriptors, or the right to, nothing is found out', () => {
    let code = ''
    const rig = rigOf({ fault: ({ operation }) => (code !== '' && operation === 'open' ? { kind: 'error', code } : undefined) })
    for (const index of [3, 5]) rig.write(index, index)
    const list = (withCode: string): readonly unknown[] => {
      code = withCode
      const answer = rig.ask<Listing>((done) => rig.store.list(3, done))
      return [answer?.error?.code, answer?.error?.message, answer?.result.damaged.length, answer?.result.isUnread]
    }
    const refusedFor = (each: string, why: RegExp): void => expect(list(each)).toEqual([each, expect.stringMatching(why), 0, undefined])
    for (const each of ['EMFILE', 'ENFILE']) refusedFor(each, /snapshots\/3.*open files/)
    for (const each of ['EACCES', 'EPERM']) refusedFor(each, /snapshots\/3.*the user/)
    expect(list('EIO')).toEqual([undefined, undefined, 2, true])
    rig.disk.corrupt(fileOf(rig, 5), (bytes) => { bytes[bytes.length - 100] = 0xfe })
    expect(list('')).toEqual([undefined, undefined, 1, undefined])
  })

  test('that can not be removed keeps none of the others from it', () => {
    const rig = rigOf({ fault: ({ operation, path }) =>
      (operation === 'remove' && path.endsWith('5-2.snap') ? { kind: 'error', code: 'EPERM' } : undefined) })
    for (const index of [3, 5, 7]) rig.write(index, index)
    expect(rig.ask((done) => rig.store.clear(3, done))?.error?.code).toBe('EPERM')
    expect(rig.good()).toEqual([5])
  })

  test('is not pruned while it is being sent', () => {
    const rig = rigOf()
    for (const index of [3, 5, 7, 9]) rig.write(index, index)
    expect(rig.ask((done) => rig.store.prune(3, { newest: 2, through: 9, inUse: [3] }, done))?.error).toBeNull()
    expect(rig.good()).toEqual([9, 7, 3])
    expect(rig.ask((done) => rig.store.prune(3, { newest: 2, through: 9, inUse: [] }, done))?.error).toBeNull()
    expect(rig.good()).toEqual([9, 7])
  })
})

describe('a transfer', () => {
  const source = (): { readonly rig: Rig; readonly info: SnapshotInfo } => {
    const rig = rigOf()
    return { rig, info: rig.write(7, 10)?.result as SnapshotInfo }
  }
  const finish = (to: Rig, info: SnapshotInfo, totalBytes = info.totalBytes): ReturnType<Rig['write']> =>
    to.ask<SnapshotInfo>((done) => to.store.finishReceive(3, info.index, info.term, totalBytes, done))

  test('arrives piece by piece and counts once it verifies whole', () => {
    const { rig, info } = source()
    const to = rigOf()
    expect(transfer(rig, info, to)).toBe(info.totalBytes)
    expect(to.good()).toEqual([])
    expect(finish(to, info)).toEqual({ error: null, result: info })
    expect(to.load(info)).toEqual({ chunks: chunksOf(10), error: null })
  })

  test('answers where it stands to a piece that does not fit, and starts anew at offset 0', () => {
    const { rig, info } = source()
    const to = rigOf()
    const send = (offset: number, bytes: Uint8Array): number | undefined =>
      to.ask<number>((done) => to.store.receive(3, 7, 2, offset, bytes, done))?.result
    expect([10, 0, 9, 5].map((offset) => send(offset, new Uint8Array(5)))).toEqual([0, 5, 5, 10])
    expect(transfer(rig, info, to, 333)).toBe(info.totalBytes)
    expect(finish(to, info)?.error).toBeNull()
  })

  test('of damaged bytes, of too few, or of another snapshot is refused and leaves no file', () => {
    const { rig, info } = source()
    for (const spoil of ['flip', 'short', 'other', 'none'] as const) {
      const to = rigOf()
      if (spoil !== 'none') transfer(rig, info, to)
      if (spoil === 'flip') to.disk.corrupt('snapshots/3/0000000000000007-2.snap.receive', (bytes) => { bytes[900] = 0xfe })
      const answer = spoil === 'other'
        ? to.ask<SnapshotInfo>((done) => to.store.finishReceive(3, 8, 2, info.totalBytes, done))
        : finish(to, info, spoil === 'short' ? info.totalBytes + 1 : info.totalBytes)
      expect([spoil, answer?.error?.code]).toEqual([spoil, 'EDAMAGED'])
      expect(to.good()).toEqual([])
    }
    const to = rigOf()
    const bytes = rig.disk.image().files.get(fileOf(rig, 7)) ?? new Uint8Array(0)
    to.ask<number>((done) => to.store.receive(3, 9, 2, 0, bytes, done))
    expect(to.ask<SnapshotInfo>((done) => to.store.finishReceive(3, 9, 2, bytes.length, done))?.error).toMatchObject({ code: 'EDAMAGED' })
    expect([...to.disk.image().files.keys()]).toEqual([])
  })

  test('that was interrupted leaves only a temporary file, which prune removes', () => {
    const { rig, info } = source()
    const to = rigOf()
    const piece = rig.ask<Uint8Array>((done) => rig.store.readRange(3, 7, 2, 0, 1_000, done))?.result ?? new Uint8Array(0)
    to.ask<number>((done) => to.store.receive(3, 7, 2, 0, piece, done))
    to.ask((done) => to.store.prune(3, { newest: 2, through: 6, inUse: [] }, done))
    expect([...to.disk.image().files.keys()]).toEqual(['snapshots/3/0000000000000007-2.snap.receive'])
    const again = rigOf({ image: to.disk.image() })
    expect(again.good()).toEqual([])
    expect(again.ask<number>((done) => again.store.receive(3, 7, 2, 1_000, piece, done))?.result).toBe(0)
    again.ask((done) => again.store.prune(3, { newest: 2, through: 9, inUse: [] }, done))
    expect([...again.disk.image().files.keys()]).toEqual([])
    expect(transfer(rig, info, again)).toBe(info.totalBytes)
  })

  /** 1. A follower is killed while it receives 7. 2. Started again, it prunes. 3. Its leader sends 7 anew. 4. That went, too. */
  test('under the name of a left-over is not removed with the left-overs', () => {
    const { rig, info } = source()
    for (const others of [1, 2, 3, 4, 5, 6]) {
      let removed = 0
      const names = [...Array.from({ length: others }, (_, i) => `000000000000000${i}-2.snap.part`), '0000000000000007-2.snap.receive']
      const files = new Map(names.map((name) => [`snapshots/3/${name}`, new Uint8Array(10)]))
      const fault = ({ operation }: DiskCall): undefined => void (removed += operation === 'remove' ? 1 : 0)
      const to = rigOf({ image: { files, directories: new Set(['', 'snapshots', 'snapshots/3']) }, fault })
      to.store.prune(3, { newest: 2, through: 6, inUse: [] }, () => {})
      to.clock.runUntil(() => removed === 1)
      expect(transfer(rig, info, to)).toBe(info.totalBytes)
      expect([others, finish(to, info)?.error, to.good()]).toEqual([others, null, [7]])
    }
  })

  /** A disk that counts the descriptors that are open, and a piece of any snapshot of any group. */
  const counted = (fails: (call: DiskCall, calls: number) => boolean = () => false) => {
    let calls = 0
    let open = 0
    const rig = rigOf({ fault: (call) => {
      calls += 1
      const isFailed = fails(call, calls)
      // A close that fails has closed all the same.
      if (call.operation === 'close') open -= 1
      if (call.operation === 'open' && !isFailed) open += 1
      return isFailed ? { kind: 'error', code: 'EIO' } : undefined
    } })
    const send = (index: number, offset = 0, group = 3): number | undefined =>
      rig.ask<number>((done) => rig.store.receive(group, index, 2, offset, new Uint8Array(500), done))?.result
    return { ...rig, send, left: () => ({ files: rig.disk.image().files.size, open }) }
  }

  /**
   * Story: 1. A follower is sent snapshot 42, and the link stalls. 2. Its leader has 208 by then, and sends that. 3. Nobody spoke of 42 any
   * more: its file and its descriptor stayed as long as the process, one of each for every transfer that was given up.
   */
  test('that is given up for another leaves neither file nor descriptor', () => {
    const to = counted()
    for (let index = 100; index < 2_000; index += 100) expect([to.send(index), to.send(index, 500)]).toEqual([500, 1_000])
    expect(to.left()).toEqual({ files: 1, open: 1 })
    // A late piece of an earlier one finds nothing to be appended to, and the newest goes on; so does another group's.
    expect([to.send(100, 1_000), to.send(7, 0, 4), to.send(1_900, 1_000), to.send(7, 500, 4)]).toEqual([0, 500, 1_500, 1_000])
    expect(to.left()).toEqual({ files: 2, open: 2 })
  })

  test('that nobody goes on with is dropped when the replica has come as far without it, not before', () => {
    const to = counted()
    to.send(42)
    const pruneAt = (through: number) => {
      to.ask((done) => to.store.prune(3, { newest: 2, through, inUse: [] }, done))
      return to.left()
    }
    expect([41, 42].map(pruneAt)).toEqual([{ files: 1, open: 1 }, { files: 0, open: 0 }])
    expect(to.send(42, 500)).toBe(0)
  })

  test('of a replica that ends leaves no descriptor, also when its last piece is still on its way to the disk', () => {
    const to = counted()
    to.send(42)
    to.store.receive(3, 208, 2, 0, new Uint8Array(500), () => {})
    to.ask((done) => to.store.clear(3, done))
    expect(to.left()).toEqual({ files: 0, open: 0 })
  })

  test('of a replica that ends while it is verified does not get its name afterwards', () => {
    const { rig, info } = source()
    const to = counted()
    transfer(rig, info, to)
    to.store.finishReceive(3, info.index, info.term, info.totalBytes, () => {})
    expect(to.ask((done) => to.store.clear(3, done))?.error).toBeNull()
    expect(to.left()).toEqual({ files: 0, open: 0 })
  })

  test('takes the place of one that was given up whichever call fails, and no descriptor is left behind', () => {
    for (let bad = 1; bad < 30; bad += 1) {
      const to = counted((_call, calls) => calls === bad)
      to.send(42)
      const isTaken = to.send(208) === 500
      expect([bad, to.left().open]).toEqual([bad, isTaken ? 1 : 0])
      for (let attempt = 1; attempt <= 2; attempt += 1) to.ask((done) => to.store.clear(3, done))
      expect([bad, to.left()]).toEqual([bad, { files: 0, open: 0 }])
    }
  })

  test('loses nothing that was there, whichever call a power loss follows or an error hits', () => {
    const { rig, info } = source()
    const before = rigOf()
    before.write(5, 1)
    for (const kind of ['hang', 'error'] as const) {
      for (let bad = 1; bad < 60; bad += 1) {
        let calls = 0
        const to = rigOf({ image: before.disk.image(), fault: () => {
          calls += 1
          if (kind === 'error') return calls === bad ? { kind, code: 'EIO' } : undefined
          return calls > bad ? { kind } : undefined
        } })
        const isWhole = transfer(rig, info, to) === info.totalBytes
        const answer = isWhole ? finish(to, info) : undefined
        const good = rigOf({ image: to.disk.crash({ random: createRandom(bad), keep: 0.5 }) }).good()
        expect(good).toContain(5)
        if (answer?.error === null) expect(good).toEqual([7, 5])
      }
    }
  })
})
