/**
 * A part of the log that its disk can not read (EIO, how a disk reports a bad sector) is damage like any other: no start ends over it, none
 * takes it for nothing, and what the log writes behind it counts.
 */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { createRandom } from '../../actors/kernel/random.ts'
import { BLOCK_BYTES, segmentName } from '../../storage/segment.ts'
import { createRig, entriesOf, entryOf, vote } from '../../torture/rig.ts'
import { recoveredText, segmentsOf } from '../../torture/specimen.ts'
import type { DiskCall, DiskFault, DiskImage } from '../../storage/memoryFileSystem.ts'
import type { Rig, RigOptions } from '../../torture/rig.ts'

/** Behind all that is here. */
const NEXT_GENERATION = 7

const imageLeft = ({ disk, wal }: Rig): DiskImage => {
  const image = disk.crash({ random: createRandom(3), keep: 0 })
  wal.stop()
  return image
}

const pathOf = (segment: number): string => `wal/${segmentName(segment)}`

type Part = 'the header' | 'the rest' | 'all'

const isPart = (part: Part, { bytes }: DiskCall): boolean => part === 'all' || (bytes === BLOCK_BYTES) === (part === 'the header')

const unread = (segment: number, part: Part = 'all', code = 'EIO') => (call: DiskCall): DiskFault | undefined =>
  (call.operation === 'read' && call.path === pathOf(segment) && isPart(part, call) ? { kind: 'error', code } : undefined)

/** Three begun segments of two groups, and one made ahead. The newest has a single group, which nothing proves yet. */
const begun = (): Rig => {
  const rig = createRig().open()
  rig.append(1, { hardState: { term: 1, vote: vote('a') }, entries: entriesOf(1, 2) })
  rig.append(2, { hardState: { term: 5, vote: vote('b') } })
  rig.clock.advance(3)
  for (let index = 3; !isBegun(rig, 3); index += 1) {
    rig.append(1, { entries: [entryOf(index, { bytes: 1_500 })] })
    rig.clock.advance(3)
  }
  return rig
}

const isBegun = ({ disk }: Rig, segment: number): boolean => disk.image().files.get(pathOf(segment))?.some((byte) => byte !== 0) === true

const log = imageLeft(begun())
const groupsOf = (rig: Rig): readonly string[] => [...rig.report()?.groups ?? []].map(([id, group]) => `${id} ${recoveredText(group)}`)
const whole = groupsOf(createRig({ image: log }).open())

const start = (image: DiskImage, options: RigOptions = {}): Rig => createRig({ image, ...options }).open()

const isAnswered = (rig: Rig, ticket: number): boolean => rig.clock.runUntil(() => rig.isAcknowledged(ticket), 1_000)

/** A replica takes the place of group 1's. */
const replace = (rig: Rig): void => {
  rig.adopt(1, NEXT_GENERATION)
  expect(isAnswered(rig, rig.append(1, { hardState: { term: 9, vote: vote('c') }, entries: entriesOf(1, 3, { term: 9 }) }))).toBe(true)
}

const segments = ['the oldest', 'one in the middle', 'the newest', 'one made ahead'].map((name, at) => [name, at + 1] as const)
const parts: readonly Part[] = ['the header', 'the rest', 'all']
const cases = segments.flatMap(([name, segment]) => parts.map((part) => [part, name, segment] as const))

test('the log is of four segments, the last of which was never begun', () => {
  expect(segmentsOf(log).map(({ segment, bytes }) => [segment, bytes.some((byte) => byte !== 0)]))
    .toEqual([[1, true], [2, true], [3, true], [4, false]])
})

describe.each(cases)('a log of which the disk can not read %s of %s', (part, _, segment) => {
  const fault = unread(segment, part)

  test('opens, says so, trusts none of its replicas, and changes no byte', () => {
    const rig = start(log, { fault })
    expect([rig.wal.state(), rig.report()?.damagedNode]).toEqual(['open', `segment ${segment} can not be read`])
    expect([...rig.report()?.groups.values() ?? []].filter(({ quarantined }) => quarantined === undefined)).toEqual([])
    rig.clock.advance(300)
    const after = rig.disk.image().files
    for (const [path, bytes] of log.files) expect(Buffer.compare(after.get(path) ?? new Uint8Array(0), bytes)).toBe(0)
  })

  test('goes on in a new segment, and a replica that begins there is trusted at every start, read or unread', () => {
    const first = start(log, { fault })
    replace(first)
    const again = start(imageLeft(first), { fault })
    const found = again.report()?.groups.get(1)
    expect([again.report()?.damagedNode, found?.quarantined]).toEqual([`segment ${segment} can not be read`, undefined])
    expect(found).toMatchObject({ hardState: { term: 9 }, replica: { generation: NEXT_GENERATION } })
    const read = start(imageLeft(again))
    expect(recoveredText(must(read.report()?.groups.get(1), 'it is there')))
      .toBe(recoveredText(must(found, 'it is there')))
  })

  test('is well again at a start that can read it, when nothing was written meanwhile', () => {
    const rig = start(imageLeft(start(log, { fault })))
    expect([rig.report()?.damagedNode, groupsOf(rig)]).toEqual([undefined, whole])
  })

  /**
   * The log went on behind a segment whose end nobody knew (the newest, or one made ahead): any place within it, taken for where the log
   * had left it, would make acknowledged entries nothing at the start that can read them.
   */
  test('loses nothing without a word at a start that can read it, when the log has gone on', () => {
    const first = start(log, { fault })
    replace(first)
    const rig = start(imageLeft(first))
    const found = must(rig.report()?.groups.get(2), 'it is there')
    const isWhole = found.quarantined === undefined && whole.includes(`2 ${recoveredText(found)}`)
    expect(isWhole).toBe(segment < 3)
    expect(rig.report()?.damagedNode === undefined).toBe(segment < 3)
  })

  test('goes by itself once every replica is a new one, and the log is sound', () => {
    const rig = start(log, { fault })
    replace(rig)
    rig.adopt(2, NEXT_GENERATION)
    rig.clock.advance(20)
    rig.wal.send({ type: 'wal.damageReplaced' })
    for (let index = 4; index < 60; index += 4) {
      expect(isAnswered(rig, rig.append(1, { entries: entriesOf(index, index + 3, { term: 9, bytes: 900 }) }))).toBe(true)
      rig.compact(1, { index, term: 9 })
      rig.clock.advance(20)
    }
    const sound = start(imageLeft(rig), { fault })
    expect([sound.wal.state(), sound.report()?.damagedNode]).toEqual(['open', undefined])
    expect(sound.report()?.groups.get(1)).toMatchObject({ hardState: { term: 9 }, replica: { generation: NEXT_GENERATION } })
    expect(sound.report()?.groups.get(1)?.quarantined).toBeUndefined()
  })
})

/**
 * Story: 1. The sync of a vote fails, and it is in the page cache alone. 2. The next start can not read an old segment: all are
 * quarantined. A new replica begins, in a new segment, whose header proves the vote synced. 3. The start after that reads all, and the vote
 * counts. 4. The power goes, and with it the vote.
 */
test('what a failed sync left in the cache is on the disk when a start counts on it, though the one before could not read all', () => {
  let isFailing = false
  const rig = createRig({
    image: log, fault: ({ operation }) => (isFailing && operation === 'datasync' ? { kind: 'error', code: 'EIO' } : undefined),
  }).open()
  isFailing = true
  rig.append(2, { hardState: { term: 6, vote: vote('c') } })
  rig.clock.advance(5)
  expect(rig.wal.state()).toBe('halted')
  const second = createRig({ cache: rig.disk.kill(), fault: unread(1) }).open()
  replace(second)
  const third = createRig({ cache: second.disk.kill() }).open()
  expect([third.report()?.damagedNode, third.report()?.groups.get(2)?.hardState.term]).toEqual([undefined, 6])
  const fourth = start(imageLeft(third))
  expect([fourth.report()?.damagedNode, groupsOf(fourth)]).toEqual([undefined, groupsOf(third)])
})

test('a segment that was to be removed is removed, whether it can be read or not', () => {
  const rig = start(log)
  const last = must(rig.report()?.groups.get(1)?.entries.at(-1)?.index, 'it has entries')
  for (let index = last + 1; index <= last + 40; index += 1) {
    rig.append(1, { entries: [entryOf(index, { bytes: 1_500 })] })
    rig.clock.advance(3)
    rig.compact(1, { index, term: 1 })
    rig.clock.advance(10)
  }
  const after = imageLeft(rig)
  expect(after.files.has(pathOf(1))).toBe(false)
  const withOld = { ...after, files: new Map(after.files).set(pathOf(1), must(log.files.get(pathOf(1)), 'it was there')) }
  const next = start(withOld, { fault: unread(1) })
  expect([next.report()?.damagedNode, next.disk.image().files.has(pathOf(1))]).toEqual([undefined, false])
})

describe('an error of another kind', () => {
  const reasonOf = (rig: Rig): string | undefined => {
    const last = rig.notices.at(-1)
    return last?.type === 'wal.failed' ? last.reason : undefined
  }

  const expectEnd = (code: string, cure: string): void => {
    for (const part of ['the header', 'the rest'] as const) {
      const rig = start(log, { fault: unread(2, part, code) })
      expect([rig.wal.state(), rig.report()]).toEqual(['halted', undefined])
      expect(reasonOf(rig)).toMatch(new RegExp(`^the log's recovery failed \\(${code}.*${cure}.*, then start the node again$`))
    }
  }

  test('of a read, such as EMFILE, is no damage: it ends the start and says what to do', () => {
    expectEnd('EMFILE', 'Raise the limit of open files')
  })

  test.each([
    ['EACCES', 'Give the data directory to the user'], ['EPERM', 'Give the data directory to the user'], ['ENOENT', 'Check the disk'],
    ['ENFILE', 'Raise the limit of open files'], ['ENOMEM', 'Give the machine more memory'],
  ])('of a read, such as %s, is none either', expectEnd)

  test.each(['open', 'size', 'list', 'makeDirectory'])('EIO at %s of what holds the log, is no damage of a segment either', (operation) => {
    const rig = start(log, { fault: (call) => (call.operation === operation ? { kind: 'error', code: 'EIO' } : undefined) })
    expect([rig.wal.state(), rig.report()]).toEqual(['halted', undefined])
    expect(reasonOf(rig)).toMatch(/^the log's recovery failed \(EIO.*Check the disk, then start the node again$/)
  })
})
