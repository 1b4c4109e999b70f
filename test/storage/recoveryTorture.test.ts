/**
 * Every way a log and its snapshots can be damaged on the platter, against one oracle: the exact log, or damage reported. Never a silent
 * loss, never an invention. A sample of each generator of the torture (`npm run torture` runs them all), and by hand what each
 * verdict says.
 */

import { describe, expect, test } from '@jest/globals'
import type { Entry } from '../../actors/raft/protocol.ts'
import type { RecoveredGroup } from '../../actors/wal/protocol.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createRandom } from '../../actors/kernel/random.ts'
import { BLOCK_BYTES, encodeSegmentHeader, FORMAT_VERSION, segmentName, segmentOfName } from '../../storage/segment.ts'
import { crc32 as crcOf } from '../../storage/crc.ts'
import { recoverLog } from '../../storage/recovery.ts'
import { readSegment } from '../../storage/segmentReader.ts'
import type { DiskImage } from '../../storage/memoryFileSystem.ts'
import { planOf } from '../../lanes/plan.ts'
import { judgeItem } from '../../torture/crew.ts'
import { generatorsOf } from '../../torture/generators.ts'
import { unsyncedPages } from '../../torture/generators/unsyncedPages.ts'
import { judgeLog } from '../../torture/oracle.ts'
import { createRig, entriesOf, entryOf, vote } from '../../torture/rig.ts'
import { durableEnd, growSpecimen, segmentsOf, withFile } from '../../torture/specimen.ts'

type Images = Map<number, Uint8Array>

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
const changedLog = (change: (images: Images) => void): Images => {
  const images = copyOf(log)
  change(images)
  return images
}
const imageOfLog = (images: Images): DiskImage =>
  ({ files: new Map([...images].map(([segment, bytes]) => [`wal/${segmentName(segment)}`, bytes])), directories: new Set(['', 'wal']) })
const wanted = recoverLog(log)
const top = Math.max(...wanted.segments.map(({ segment }) => segment))

const entryText = ({ index, term, kind, payload }: Entry): string => `${index}/${term}/${kind}/${payload.length}/${crcOf(payload)}`
const groupText = (group: RecoveredGroup | undefined): string => (group === undefined ? 'none'
  : `${JSON.stringify({ ...group, entries: [] })} ${group.entries.map(entryText).join(' ')}`)
const groupsText = (groups: ReadonlyMap<number, RecoveredGroup>): string => [...groups.values()].map(groupText).sort().join('\n')
type Groups = ReadonlyMap<number, RecoveredGroup>
const sameGroups = (a: Groups, b: Groups): boolean => groupsText(a) === groupsText(b)

const imageOf = (images: Images, segment: number): Uint8Array => images.get(segment) ?? new Uint8Array(0)

const SEED = Number(process.env['SHARDKV_SEED'] ?? 1)
const IMAGES = 900
const generators = generatorsOf(SEED)
const plan = planOf(generators, IMAGES)

describe('images of a damaged disk', () => {
  test.each(generators.map(({ name }, kind) => [name, kind] as const))('with %s are exact, or say what is damaged', (_, kind) => {
    const verdicts = plan.filter((item) => item.kind === kind).map((item) => ({ ...item, ...judgeItem(generators, item) }))
    expect(verdicts.filter(({ problem }) => problem !== undefined)).toEqual([])
    expect(verdicts.length).toBeGreaterThan(20)
  })

  test.each([
    ['truncated at a byte', ['node damaged']],
    ['zeros from a byte on', ['cut', 'node damaged']],
    ['a bit flipped', ['cut', 'exact', 'node damaged', 'one group damaged']],
    ['a record or group doubled, swapped, misplaced', ['cut', 'exact', 'node damaged']],
    ['a segment resurrected, stale, renamed, gone', ['exact', 'node damaged']],
    ['a segment that can not be read', ['damaged for good', 'well once it is read']],
  ])('with %s meet every verdict they can', (wantedName, kinds) => {
    const kind = generators.findIndex(({ name }) => name === wantedName)
    const found = new Set(plan.filter((item) => item.kind === kind).map((item) => judgeItem(generators, item).kind))
    expect([...found].toSorted()).toEqual(expect.arrayContaining(kinds))
  })
})

describe('a sealed log', () => {
  test('is three begun segments, recovered whole', () => {
    expect(wanted.segments.length).toBe(3)
    expect([wanted.report.tornBytes, wanted.report.findings, wanted.tail.isSealed]).toEqual([0, [], true])
    expect(wanted.report.groups.get(1)).toMatchObject({ hardState: { term: 1, vote: 'a:1' }, snapshot: { index: 2, term: 1 } })
    expect(wanted.report.groups.get(1)?.entries.map(({ index }) => index)).toEqual([3, 4, 5, 6, 7])
    expect(wanted.report.groups.get(2)?.hardState).toEqual({ term: 6, vote: '' })
  })

  test('missing a segment in the middle is damaged, and a missing first one too', () => {
    for (const segment of [1, 2]) {
      const images = copyOf(log)
      images.delete(segment)
      expect(recoverLog(images).report.damagedNode).toMatch(`segment ${segment} is missing`)
    }
    const newest = changedLog((images) => [1, 2].forEach((segment) => images.delete(segment)))
    expect(recoverLog(newest).report.damagedNode).toBe('segments 1 to 2 are missing')
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
      salt: 12_345, segment: 2, sizeBytes: 12_288, previous: { segment: 1, offset: 0 }, chain: 0, firstSegment: 1, holdsReplicas: false,
    })
    imageOf(images, 2).set(bytes)
    expect(recoverLog(images).report.damagedNode).toMatch(/belongs to another log/)
  })

  test('written by a later version is not touched', () => {
    const images = copyOf(log)
    const bytes = imageOf(images, top)
    const view = new DataView(bytes.buffer)
    view.setUint32(8, FORMAT_VERSION + 1, true)
    view.setUint32(4, 0, true)
    view.setUint32(4, crcOf(bytes.subarray(0, 40)), true)
    expect(recoverLog(images)).toMatchObject({ isNewer: true, repairs: [] })
  })

  /**
   * Story: 1. Entries are acknowledged. 2. The file of the newest segment comes back shorter, without them. 3. The node starts, says
   * so, is quarantined, and its log goes on in a new segment. 4. It starts again. The new segment's header vouched for the short
   * file's end as where the log had left it: the damage was forgotten, and a replica that lacks what it acknowledged could vote.
   */
  test('that was cut short stays damaged at every restart, also once the log has gone on behind the cut', () => {
    const short = changedLog((images) => images.set(top, imageOf(images, top).slice(0, 7_000)))
    const first = createRig({ image: imageOfLog(short) }).open()
    const reason = first.report()?.damagedNode
    expect(reason).toMatch(/was made with 12288 bytes and has 7000/)
    const ticket = first.append(9, { entries: entriesOf(1, 1) })
    expect(first.clock.runUntil(() => first.isAcknowledged(ticket), 1_000)).toBe(true)
    const second = createRig({ image: first.disk.image() }).open()
    expect([second.report()?.damagedNode, second.report()?.groups.get(9)?.entries.length]).toEqual([reason, 1])
  })

  test('changes no byte of a log that is damaged, and goes on in a new segment', () => {
    const images = copyOf(log)
    imageOf(images, 2).fill(0, 4_096, 8_192)
    const found = recoverLog(images)
    expect([found.repairs, found.tail.continues, found.tail.nextSegment]).toEqual([[], false, top + 1])
    expect([...found.report.groups.values()].every(({ quarantined }) => quarantined !== undefined)).toBe(true)
  })
})

test('a begun segment that is cut short is damage, or has lost nothing: the proofs may have gone with its end', () => {
  const config = { segmentBytes: 12_288, segmentsWanted: 9 }
  const specimen = growSpecimen({ name: 'to be cut short', config, isSealed: false }, ({ rig, settle }) => {
    for (let index = 1; index <= 5; index += 1) {
      rig.append(1, { entries: [entryOf(index, { bytes: 900 })] })
      settle()
    }
  })
  const { path, bytes } = must(segmentsOf(specimen.image).findLast(({ bytes: of }) => of.some((byte) => byte !== 0)), 'a begun segment')
  const all = specimen.cuts.at(-1)?.end
  expect(durableEnd(specimen, specimen.image)).not.toEqual(all)
  for (const length of [4_096, 4_200, 6_000, 8_192, bytes.length - 1]) {
    const image = withFile(specimen.image, path, bytes.slice(0, length))
    expect([length, durableEnd(specimen, image), judgeLog(specimen, image)]).toEqual([length, all, { kind: 'node damaged' }])
  }
})

describe('segments in the wrong place', () => {
  test('a group written again after itself does not pass', () => {
    const reading = readSegment({ segment: 1, image: imageOf(log, 1), chain: undefined, salt: undefined, limit: undefined })
    for (const { header } of reading.groups) {
      const images = copyOf(log)
      const bytes = imageOf(images, 1)
      const end = header.at.offset + 48 + header.bodyBytes
      bytes.set(bytes.slice(header.at.offset, Math.min(end, header.at.offset + bytes.length - end)), end)
      const found = recoverLog(images).report
      expect(found.damagedNode !== undefined || sameGroups(found.groups, wanted.report.groups)).toBe(true)
    }
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

describe('behind a damaged log', () => {
  const BEGUN = 7

  /** A log whose first segment is damaged, and in which a new replica has begun since, in a segment of its own. */
  const begun = (): { readonly image: DiskImage; readonly segment: number } => {
    const rig = createRig({ image: imageOfLog(changedLog((images) => imageOf(images, 1).fill(0, 4_096, 4_200))) }).open()
    expect(rig.report()?.damagedNode).toMatch(/segment 1: what was synced/)
    const ticket = rig.adopt(BEGUN, 40)
    expect(rig.clock.runUntil(() => rig.isAcknowledged(ticket), 1_000)).toBe(true)
    return { image: rig.disk.crash({ random: createRandom(1), keep: 0 }), segment: top + 1 }
  }

  /**
   * Story: 1. On a damaged log a replica is adopted, and the log rolls. 2. The power goes while the next segment is begun: its header is
   * lost, a part of its group is there. 3. The log went on behind it, and the next start took it for a segment that has lost its header:
   * damage, behind which the replica had not begun, so it was quarantined and replaced, though it had lost nothing.
   */
  test('a segment that was torn when it was begun is dropped, and harms nothing that had begun before it', () => {
    const { image, segment } = begun()
    const path = `wal/${segmentName(segment + 1)}`
    const torn = new Uint8Array(16_384).fill(7, 4_200, 4_500)
    const second = createRig({ image: { ...image, files: new Map(image.files).set(path, torn) } }).open()
    expect(second.report()?.findings)
      .toContain(`segment ${segment + 1}: begun and never synced; its 4500 bytes were never acknowledged and are dropped`)
    second.append(BEGUN, { hardState: { term: 2, vote: vote('a') }, entries: entriesOf(1, 2) })
    second.clock.advance(300)
    const found = createRig({ image: second.disk.crash({ random: createRandom(1), keep: 0 }) }).open().report()
    expect(found?.groups.get(BEGUN)).toMatchObject({ replica: { generation: 40 }, hardState: { term: 2 } })
    expect(found?.groups.get(BEGUN)?.quarantined).toBeUndefined()
  })

  test('a segment without a header that stands before damage is not dropped: it may be part of it', () => {
    const { image, segment } = begun()
    const torn = new Uint8Array(16_384).fill(7, 4_200, 4_500)
    const files = new Map(image.files).set(`wal/${segmentName(segment + 1)}`, torn)
    files.set(`wal/${segmentName(segment + 2)}`, new Uint8Array(20))
    const found = recoverLog(imagesOf({ ...image, files }))
    expect(found.repairs.filter(({ kind }) => kind === 'zero')).toEqual([])
    expect([found.tail.nextSegment, found.report.findings]).toEqual([segment + 3, expect.arrayContaining([
      `segment ${segment + 1}: nothing proves that it was ever synced; it stays as it is, since segment ${segment + 2} is damaged`,
    ])])
  })

  /** Found by the torture: a start read nothing of it, and the one after that, which found the log to go on behind it, all of it. */
  test('a segment that stays though nothing proves that it was synced is read by every start', () => {
    const { image, segment } = begun()
    const path = `wal/${segmentName(segment)}`
    const astray = Uint8Array.from(image.files.get(path) ?? [])
    astray.set((image.files.get(`wal/${segmentName(1)}`) ?? new Uint8Array(0)).subarray(0, BLOCK_BYTES))
    const rig = createRig({ image: { ...image, files: new Map(image.files).set(path, astray) } }).open()
    const first = rig.report()?.groups
    expect(rig.report()?.findings.join()).toMatch(/nothing proves that it was ever synced; it stays/)
    const ticket = rig.append(99, { entries: entriesOf(1, 1) })
    expect(rig.clock.runUntil(() => rig.isAcknowledged(ticket), 1_000)).toBe(true)
    const second = new Map(createRig({ image: rig.disk.crash({ random: createRandom(1), keep: 0 }) }).open().report()?.groups)
    second.delete(99)
    expect(first?.has(BEGUN)).toBe(true)
    expect(second).toEqual(first)
  })

  /**
   * Story: 1. The segment with the new replica loses its header, of which nothing is proof, or is cut. 2. The log goes on behind it,
   * where another replica begins. 3. The next segment was compared with the chain value of the one without a header, which is none: the
   * segment was called damage, the replica in it quarantined, and so was every one that took its place.
   */
  test('a segment that has lost its header, or was cut, costs nothing that begins after it', () => {
    const changes: ((bytes: Uint8Array) => Uint8Array)[] =
      [(bytes) => bytes.fill(0, 0, 4_096), (bytes) => bytes.fill(0, 0, 4_160), (bytes) => bytes.subarray(0, 20)]
    for (const change of changes) {
      const { image, segment } = begun()
      const path = `wal/${segmentName(segment)}`
      const files = new Map(image.files).set(path, change(Uint8Array.from(image.files.get(path) ?? [])))
      const second = createRig({ image: { ...image, files } }).open()
      const ticket = second.adopt(BEGUN, 41)
      second.append(BEGUN, { hardState: { term: 2, vote: vote('a') }, entries: entriesOf(1, 2) })
      second.clock.advance(300)
      expect([second.isAcknowledged(ticket), second.wal.state()]).toEqual([true, 'open'])
      const found = createRig({ image: second.disk.crash({ random: createRandom(1), keep: 0 }) }).open().report()
      expect(found?.groups.get(BEGUN)).toMatchObject({ replica: { generation: 41 }, hardState: { term: 2 } })
      expect(found?.groups.get(BEGUN)?.quarantined).toBeUndefined()
    }
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
    const pages = unsyncedPages(SEED)
    const verdicts = Array.from({ length: pages.sizeOf(0) }, (_, subset) => pages.judge(0, subset))
    expect(verdicts.filter(({ problem }) => problem !== undefined)).toEqual([])
    expect([verdicts.length, verdicts.filter(({ kind }) => kind === 'exact').length]).toEqual([1_024, 1])
  })

  test('is cut: its bytes are zeroed and a line says so', () => {
    const { after } = grow()
    imageOf(after, 1).fill(0, 12_288, 16_384)
    const found = recoverLog(after)
    expect(found.repairs).toEqual([
      { kind: 'rewrite', segment: 1, from: expect.any(Number), bytes: expect.any(Uint8Array) },
      { kind: 'zero', segment: 1, from: found.tail.end.offset, to: expect.any(Number) },
    ])
    expect(found.report.findings).toEqual([expect.stringMatching(/a torn group at offset \d+ was never acknowledged; \d+ bytes cut/)])
  })

  /** docs/GUARANTEES.md, the window of damage; the next test is where it ends. */
  test('looks like those that were synced since, where one damaged sector has all of their headers and no seal has followed', () => {
    const rig = createRig({ config: { segmentBytes: 65_536 } }).open()
    for (let term = 1; term <= 5; term += 1) {
      const ticket = rig.append(1, { hardState: { term, vote: '' } })
      expect(rig.clock.runUntil(() => rig.isAcknowledged(ticket), 10)).toBe(true)
    }
    const found = (change: (bytes: Uint8Array) => void): number | string | undefined => {
      const images = imagesOf(rig.disk.image())
      change(imageOf(images, 1))
      const { report } = recoverLog(images)
      return report.damagedNode ?? report.groups.get(1)?.hardState.term
    }
    const [first, sectorEnd] = [BLOCK_BYTES + 48 + 32, BLOCK_BYTES + 512]
    expect([found(() => {}), found((bytes) => bytes.fill(0xee, first, sectorEnd))]).toEqual([5, 1])
    rig.clock.advance(300)
    expect(found((bytes) => bytes.fill(0xee, first, sectorEnd))).toMatch(/what was synced at offset \d+ does not read back/)
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
