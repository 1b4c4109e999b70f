/**
 * Every way a log can be damaged on the platter, against one oracle: the exact log, or damage reported. Never a silent loss, never
 * an invention.
 */

import { describe, expect, test } from '@jest/globals'
import type { Entry } from '../../actors/raft/protocol.ts'
import type { RecoveredGroup } from '../../actors/wal/protocol.ts'
import { BLOCK_BYTES, encodeSegmentHeader, segmentOfName } from '../../storage/segment.ts'
import { crc32 as crcOf } from '../../storage/crc.ts'
import { recoverLog } from '../../storage/recovery.ts'
import type { LogRecovery } from '../../storage/recovery.ts'
import { readSegment } from '../../storage/segmentReader.ts'
import type { DiskImage } from '../../storage/memoryFileSystem.ts'
import { createRig, entriesOf, entryOf, vote } from '../actors/wal/rig.ts'

type Images = Map<number, Uint8Array>

const isFull = process.env['SHARDKV_TORTURE'] === 'full'

const imagesOf = (image: DiskImage): Images => {
  const images: Images = new Map()
  for (const [path, bytes] of image.files) {
    const segment = segmentOfName(path.slice(path.lastIndexOf('/') + 1))
    if (segment !== undefined) images.set(segment, Uint8Array.from(bytes))
  }
  return images
}

const copyOf = (images: Images): Images => new Map([...images].map(([segment, bytes]) => [segment, Uint8Array.from(bytes)]))

/** A sealed log of three begun segments and one made ahead; groups 1 and 2 have entries, votes and a mark. */
const sealedLog = (): Images => {
  const rig = createRig({ config: { segmentBytes: 12_288, segmentsWanted: 9 } }).open()
  rig.append(1, { hardState: { term: 1, vote: vote('a') }, entries: entriesOf(1, 3) })
  rig.append(2, { hardState: { term: 5, vote: vote('b') } })
  rig.clock.advance(2)
  for (let index = 4; index <= 11; index += 1) {
    rig.append(index % 2 + 1, { entries: [entryOf(index % 2 === 0 ? index / 2 + 2 : (index - 3) / 2, { bytes: 1_100 })] })
    rig.clock.advance(2)
  }
  rig.compact(1, { index: 2, term: 1 })
  rig.append(2, { hardState: { term: 6, vote: '' } })
  rig.clock.advance(300)
  return imagesOf(rig.disk.image())
}

const log = sealedLog()
const wanted = recoverLog(log)
const top = Math.max(...wanted.segments.map(({ segment }) => segment))

const entryText = ({ index, term, kind, payload }: Entry): string => `${index}/${term}/${kind}/${payload.length}/${crcOf(payload)}`
const groupText = (group: RecoveredGroup | undefined): string => (group === undefined ? 'none'
  : `${JSON.stringify({ ...group, entries: [] })} ${group.entries.map(entryText).join(' ')}`)
const groupsText = (groups: ReadonlyMap<number, RecoveredGroup>): string => [...groups.values()].map(groupText).sort().join('\n')
type Groups = ReadonlyMap<number, RecoveredGroup>
const sameGroups = (a: Groups, b: Groups): boolean => groupsText(a) === groupsText(b)
const wantedText = groupsText(wanted.report.groups)
const truths = new Map([...wanted.report.groups.values()].map((group) => [group.group, new Set(group.entries.map(entryText))]))

/** The entries of a quarantined group are still a prefix of the truth: nothing is invented. */
const isHonestPrefix = (found: RecoveredGroup, truth: RecoveredGroup | undefined): boolean =>
  truth !== undefined && found.entries.every((entry) =>
    truths.get(truth.group)?.has(entryText(entry)) === true || entry.index <= truth.snapshot.index)

const verdict = (found: LogRecovery): 'exact' | 'damaged' | 'one group' | 'SILENT LOSS' | 'INVENTED' => {
  for (const group of found.report.groups.values()) {
    if (!isHonestPrefix(group, wanted.report.groups.get(group.group))) return 'INVENTED'
  }
  if (found.report.damagedNode !== undefined || found.isNewer) return 'damaged'
  if (groupsText(found.report.groups) === wantedText) return 'exact'
  const others = [...wanted.report.groups.values()].filter(({ group }) => found.report.groups.get(group)?.quarantined === undefined)
  const intact = others.every((group) => groupText(found.report.groups.get(group.group)) === groupText(group))
  return intact && others.length < wanted.report.groups.size ? 'one group' : 'SILENT LOSS'
}

const tally = (changes: Iterable<(images: Images) => void>): Map<string, number> => {
  const verdicts = new Map<string, number>()
  for (const change of changes) {
    const images = copyOf(log)
    change(images)
    const found = verdict(recoverLog(images))
    verdicts.set(found, (verdicts.get(found) ?? 0) + 1)
  }
  return verdicts
}

const expectHonest = (verdicts: ReadonlyMap<string, number>): void => {
  expect([verdicts.get('SILENT LOSS') ?? 0, verdicts.get('INVENTED') ?? 0]).toEqual([0, 0])
}

const imageOf = (images: Images, segment: number): Uint8Array => images.get(segment) ?? new Uint8Array(0)

const eachByte = function* (change: (segment: number, offset: number) => (images: Images) => void): Generator<(images: Images) => void> {
  for (const [segment, bytes] of log) {
    for (let offset = 0; offset < bytes.length; offset += 1) {
      if (!isFull && bytes[offset] === 0 && offset % 8 !== 0) continue
      yield change(segment, offset)
    }
  }
}

describe('a sealed log', () => {
  test('is three begun segments, recovered whole', () => {
    expect(wanted.segments.length).toBe(3)
    expect([wanted.report.tornBytes, wanted.report.findings, wanted.tail.isSealed]).toEqual([0, [], true])
    expect(wanted.report.groups.get(1)).toMatchObject({ hardState: { term: 1, vote: 'a:1' }, snapshot: { index: 2, term: 1 } })
    expect(wanted.report.groups.get(1)?.entries.map(({ index }) => index)).toEqual([3, 4, 5, 6, 7])
    expect(wanted.report.groups.get(2)?.hardState).toEqual({ term: 6, vote: '' })
  })

  test('with a bit flipped at any byte is exact, or says what is damaged', () => {
    const verdicts = tally(eachByte((segment, offset) => (images) => {
      const bytes = imageOf(images, segment)
      bytes[offset] = (bytes[offset] ?? 0) ^ (1 << (offset % 8))
    }))
    expectHonest(verdicts)
    expect(verdicts.get('one group')).toBeGreaterThan(500)
    expect(verdicts.get('damaged')).toBeGreaterThan(300)
  })

  test('cut at any byte of any segment is exact, or says so', () => {
    const verdicts = tally(eachByte((segment, offset) => (images) => images.set(segment, imageOf(images, segment).slice(0, offset))))
    expectHonest(verdicts)
    expect(verdicts.get('damaged')).toBeGreaterThan(1_000)
  })

  test.each([512, 4_096])('with any aligned run of %d bytes zeroed is exact, or says so', (step) => {
    const changes = [...log].flatMap(([segment, bytes]) =>
      Array.from({ length: bytes.length / step }, (_, at) => (images: Images) =>
        imageOf(images, segment).fill(0, at * step, (at + 1) * step)))
    const verdicts = tally(changes)
    expectHonest(verdicts)
    expect(verdicts.get('damaged')).toBeGreaterThan(0)
  })

  test('with every byte of a random sector replaced by another sector of the log is exact, or says so', () => {
    const places = [...log].flatMap(([segment, bytes]) =>
      Array.from({ length: bytes.length / 512 }, (_, at) => ({ segment, from: at * 512 })))
    const changes = places.flatMap((target) => places.filter((_, at) => isFull || at % 5 === 0).map((source) => (images: Images) => {
      imageOf(images, target.segment).set(imageOf(log, source.segment).subarray(source.from, source.from + 512), target.from)
    }))
    expectHonest(tally(changes))
  })

  test('missing a segment in the middle is damaged, and a missing first one too', () => {
    for (const segment of [1, 2]) {
      const images = copyOf(log)
      images.delete(segment)
      expect(recoverLog(images).report.damagedNode).toMatch(`segment ${segment} is missing`)
    }
  })

  test('with two segments swapped is damaged', () => {
    const images = copyOf(log)
    images.set(1, imageOf(log, 2))
    images.set(2, imageOf(log, 1))
    expect(recoverLog(images).report.damagedNode).toMatch(/holds what was written as segment/)
  })

  test('with a segment of another log in it is damaged', () => {
    const images = copyOf(log)
    const { bytes } = encodeSegmentHeader({
      salt: 12_345, segment: 2, sizeBytes: 12_288, previous: { segment: 1, offset: 0 }, chain: 0, firstSegment: 1,
    })
    imageOf(images, 2).set(bytes)
    expect(recoverLog(images).report.damagedNode).toMatch(/belongs to another log/)
  })

  test('written by a later version is not touched', () => {
    const images = copyOf(log)
    const bytes = imageOf(images, top)
    const view = new DataView(bytes.buffer)
    view.setUint32(8, 2, true)
    view.setUint32(4, 0, true)
    view.setUint32(4, crcOf(bytes.subarray(0, 40)), true)
    expect(recoverLog(images)).toMatchObject({ isNewer: true, repairs: [] })
  })

  test('changes no byte of a log that is damaged, and goes on in a new segment', () => {
    const images = copyOf(log)
    imageOf(images, 2).fill(0, 4_096, 8_192)
    const found = recoverLog(images)
    expect([found.repairs, found.tail.continues, found.tail.nextSegment]).toEqual([[], false, top + 1])
    expect([...found.report.groups.values()].every(({ quarantined }) => quarantined !== undefined)).toBe(true)
  })
})

describe('records and groups in the wrong place', () => {
  const first = readSegment({ segment: 1, image: imageOf(log, 1), chain: undefined, salt: undefined, limit: undefined })
  const places = first.groups.map(({ header }) => ({ from: header.at.offset, to: header.at.offset + 48 + header.bodyBytes }))

  test('a group written again after itself does not pass', () => {
    for (const { from, to } of places) {
      const images = copyOf(log)
      const bytes = imageOf(images, 1)
      bytes.set(bytes.slice(from, to), Math.min(to, bytes.length - (to - from)))
      expect(['damaged', 'one group', 'exact']).toContain(verdict(recoverLog(images)))
    }
  })

  test('two groups swapped do not pass', () => {
    const [one, two] = [places[1], places[2]]
    if (one === undefined || two === undefined) throw new Error('the log has three groups in its first segment')
    const images = copyOf(log)
    const bytes = imageOf(images, 1)
    const swapped = Buffer.concat([bytes.slice(two.from, two.to), bytes.slice(one.from, one.to)])
    bytes.set(swapped, one.from)
    expect(verdict(recoverLog(images))).toBe('damaged')
  })

  test('two records of one group swapped do not pass', () => {
    const group = first.groups.find(({ records }) => records.length > 3)
    const offset = (group?.header.at.offset ?? 0) + 48
    const sizes = group?.records.map(({ bytes }) => bytes) ?? []
    const images = copyOf(log)
    const bytes = imageOf(images, 1)
    const [a = 0, b = 0] = sizes
    bytes.set(Buffer.concat([bytes.slice(offset + a, offset + a + b), bytes.slice(offset, offset + a)]), offset)
    expect(verdict(recoverLog(images))).toBe('damaged')
  })

  test('a segment that had been freed and comes back is removed, not replayed', () => {
    const rig = createRig({ config: { segmentBytes: 12_288, segmentsWanted: 1 } }).open()
    const before: Images = new Map()
    for (let index = 1; index <= 40; index += 1) {
      rig.append(1, { entries: [entryOf(index, { bytes: 1_000 })] })
      rig.clock.advance(3)
      if (index === 12) for (const [segment, bytes] of imagesOf(rig.disk.image())) before.set(segment, bytes)
      if (index % 6 === 0) rig.compact(1, { index: index - 1, term: 1 })
    }
    rig.clock.advance(300)
    const images = imagesOf(rig.disk.image())
    const clean = recoverLog(images)
    expect(images.has(1)).toBe(false)
    images.set(1, imageOf(before, 1))
    const found = recoverLog(images)
    expect(sameGroups(found.report.groups, clean.report.groups)).toBe(true)
    expect([found.report.damagedNode, found.repairs]).toEqual([undefined, expect.arrayContaining([{ kind: 'remove', segment: 1 }])])
  })

  test('an older copy of a segment that was continued elsewhere is damaged', () => {
    const images = copyOf(log)
    const stale = imageOf(images, 2)
    const half = readSegment({ segment: 2, image: stale, chain: undefined, salt: undefined, limit: undefined }).groups[1]
    stale.fill(0, half?.header.at.offset ?? 0)
    expect(recoverLog(images).report.damagedNode).toMatch(/does not read back/)
  })
})

describe('a group that was never synced', () => {
  const grow = (): { readonly before: Images; readonly after: Images; readonly pages: readonly number[]; readonly segment: number } => {
    const rig = createRig({ config: { segmentBytes: 65_536, groupBytesMax: 65_536 } }).open()
    rig.append(1, { hardState: { term: 1, vote: vote('a') }, entries: entriesOf(1, 3) })
    rig.clock.advance(5)
    const before = imagesOf(rig.disk.image())
    rig.append(1, { hardState: { term: 2, vote: vote('c') }, entries: entriesOf(3, 10, { term: 2, bytes: 4_700 }) })
    rig.clock.advance(5)
    const after = imagesOf(rig.disk.image())
    const [old, grown] = [imageOf(before, 1), imageOf(after, 1)]
    const pages: number[] = []
    for (let page = 0; page * BLOCK_BYTES < grown.length; page += 1) {
      const [from, to] = [page * BLOCK_BYTES, (page + 1) * BLOCK_BYTES]
      if (Buffer.compare(old.subarray(from, to), grown.subarray(from, to)) !== 0) pages.push(page)
    }
    return { before, after, pages, segment: 1 }
  }

  test('is kept whole or cut whole, whichever of its ten pages survive', () => {
    const { before, after, pages } = grow()
    expect(pages.length).toBe(10)
    const [old, full] = [recoverLog(before).report.groups, recoverLog(after).report.groups]
    let whole = 0
    for (let subset = 0; subset < 2 ** pages.length; subset += 1) {
      const images = copyOf(before)
      for (const [bit, page] of pages.entries()) {
        if (((subset >> bit) & 1) === 0) continue
        imageOf(images, 1).set(imageOf(after, 1).subarray(page * BLOCK_BYTES, (page + 1) * BLOCK_BYTES), page * BLOCK_BYTES)
      }
      const found = recoverLog(images)
      expect(found.report.damagedNode).toBeUndefined()
      const isWhole = sameGroups(found.report.groups, full)
      if (isWhole) whole += 1
      expect(isWhole || sameGroups(found.report.groups, old)).toBe(true)
      if (!isWhole && subset !== 0) expect(found.report.tornBytes).toBeGreaterThan(0)
    }
    expect(whole).toBe(1)
  })

  test('is cut: its bytes are zeroed and a line says so', () => {
    const { after } = grow()
    imageOf(after, 1).fill(0, 12_288, 16_384)
    const found = recoverLog(after)
    expect(found.repairs).toEqual([{ kind: 'zero', segment: 1, from: found.tail.end.offset, to: expect.any(Number) }])
    expect(found.report.findings).toEqual([expect.stringMatching(/a torn group at offset \d+ was never acknowledged; \d+ bytes cut/)])
  })

  test('is damage instead, once a seal proves that it had been synced', () => {
    const rig = createRig({ config: { segmentBytes: 65_536 } }).open()
    rig.append(1, { entries: entriesOf(1, 3) })
    rig.append(2, { entries: entriesOf(1, 3) })
    rig.clock.advance(100)
    const images = imagesOf(rig.disk.image())
    const payload = 4_096 + 48 + 32
    imageOf(images, 1)[payload] = 0xff
    const found = recoverLog(images).report
    expect([found.groups.get(1)?.quarantined, found.groups.get(2)?.quarantined]).toEqual(['the record of entry 1 is damaged', undefined])
    expect(found.groups.get(2)?.entries.length).toBe(3)
  })
})

test('damage that a later record makes up for costs nothing', () => {
  const rig = createRig({ config: { segmentBytes: 65_536 } }).open()
  rig.append(1, { hardState: { term: 1, vote: vote('a') }, entries: entriesOf(1, 3) })
  rig.clock.advance(5)
  rig.append(1, { hardState: { term: 2, vote: vote('b') } })
  rig.compact(1, { index: 2, term: 1 })
  rig.clock.advance(200)
  const images = imagesOf(rig.disk.image())
  const bytes = imageOf(images, 1)
  bytes[4_096 + 48 + 32] = 0xff
  bytes[4_096 + 48 + 40 + 32] = 0xff
  const found = recoverLog(images).report
  expect(found.groups.get(1)).toEqual(expect.objectContaining({ hardState: { term: 2, vote: 'b:1' }, snapshot: { index: 2, term: 1 } }))
  expect([found.groups.get(1)?.quarantined, found.findings.length]).toEqual([undefined, 2])
})

test('an empty directory, and one with a segment made ahead only, are a new log', () => {
  for (const images of [new Map<number, Uint8Array>(), new Map([[1, new Uint8Array(12_288)]])]) {
    const found = recoverLog(images)
    expect([found.report.groups.size, found.report.damagedNode, found.tail.nextSegment]).toEqual([0, undefined, 1])
  }
})

test('a log whose only header is damaged is damage, not a new log', () => {
  const images: Images = new Map([[1, imageOf(copyOf(log), 1).fill(0, 0, 512)]])
  const found = recoverLog(images)
  expect(found.report.damagedNode).toMatch(/its header had been synced and is damaged/)
  expect(found.report.groups.get(1)?.hardState.term).toBe(1)
})
