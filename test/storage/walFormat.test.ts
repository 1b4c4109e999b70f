/** docs/WAL_FORMAT.md against the encoders, byte by byte; and what the decoders must not take for valid. */

import { describe, expect, test } from '@jest/globals'
import { readFileSync, writeFileSync } from 'node:fs'
import type { ReplicaId } from '../../topology/ids.ts'
import { decodeGroupHeader, encodeGroup } from '../../storage/group.ts'
import { decodeRecordHeader, encodeRecord, recordBytes, recordOf, recordPayload } from '../../storage/record.ts'
import type { WalRecord } from '../../storage/record.ts'
import { recoverLog } from '../../storage/recovery.ts'
import { decodeSegmentHeader, encodeSegmentHeader, FORMAT_VERSION, segmentName, segmentOfName } from '../../storage/segment.ts'

const page = new URL('../../docs/WAL_FORMAT.md', import.meta.url)
const records: readonly WalRecord[] = [
  { kind: 'hardState', group: 7, hardState: { term: 2, vote: 'a:1' as ReplicaId } },
  { kind: 'entry', group: 7, entry: { term: 2, index: 1, kind: 1, payload: new TextEncoder().encode('hi') } },
]

const replicaRecord: WalRecord =
  { kind: 'replica', group: 7, replica: { generation: 40, isRemoved: true }, isCopied: false }

/** One record behind the header of the log's first group of that example. */
const exampleRecord = (): Uint8Array => {
  const bytes = new Uint8Array(recordBytes(replicaRecord))
  const group = decodeGroupHeader(exampleSegment(), { segment: 1, offset: 4_096 })
  encodeRecord(bytes, 0, { record: replicaRecord, chain: group?.checksum ?? 0 })
  return bytes
}

const exampleSegment = (): Uint8Array => {
  const salt = 0x0badcafe
  const image = new Uint8Array(16_384)
  const header = encodeSegmentHeader({
    salt, segment: 1, sizeBytes: image.length, previous: { segment: 0, offset: 0 }, chain: 0, firstSegment: 1,
    holdsReplicas: true,
  })
  image.set(header.bytes)
  const group = encodeGroup({
    at: { segment: 1, offset: 4_096 }, synced: { segment: 0, offset: 0 }, firstSegment: 1, chain: header.checksum, isSeal: false, salt,
  }, records)
  image.set(group.bytes, 4_096)
  return image
}

/** Offset, sixteen bytes, and their printable characters; runs of zeros are left out. */
const dump = (image: Uint8Array): string => {
  const lines: string[] = []
  for (let at = 0; at < image.length; at += 16) {
    const row = image.subarray(at, at + 16)
    if (row.every((byte) => byte === 0)) {
      if (lines.at(-1) !== '*') lines.push('*')
      continue
    }
    const hex = [...row].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const plain = [...row].map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('')
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex}  ${plain}`)
  }
  return lines.join('\n')
}

describe('the documented format', () => {
  test.each([
    ['example', exampleSegment], ['replica example', exampleRecord],
  ] as const)('the worked %s is what the encoders write', (name, bytes) => {
    const pattern = new RegExp(`<!-- ${name} -->\\n\`\`\`text\\n([\\s\\S]*?)\`\`\`\\n<!-- /${name} -->`)
    const wanted = `${dump(bytes())}\n`
    const text = readFileSync(page, 'utf8')
    const block = `<!-- ${name} -->\n\`\`\`text\n${wanted}\`\`\`\n<!-- /${name} -->`
    if (process.env['REWRITE'] === '1') writeFileSync(page, text.replace(pattern, () => block))
    expect(pattern.exec(readFileSync(page, 'utf8'))?.[1]).toBe(wanted)
  })

  test('the worked example recovers to what the page says', () => {
    expect(recoverLog(new Map([[1, exampleSegment()]])).report.groups.get(7)).toEqual({
      group: 7, hardState: { term: 2, vote: 'a:1' }, snapshot: { index: 0, term: 0 },
      entries: [{ term: 2, index: 1, kind: 1, payload: new TextEncoder().encode('hi') }],
    })
  })

  test('every test it names exists', () => {
    const logTests = ['wal', 'freeing', 'torture', 'property', 'replicas', 'coldSegments'].map((name) => `../actors/wal/${name}`)
    const files = ['./recoveryTorture', './unreadSegments', ...logTests]
    const sources = files.map((path) => `${path}.test.ts`).map((path) => readFileSync(new URL(path, import.meta.url), 'utf8')).join('\n')
    const races = /## Races[\s\S]*?## What remains/.exec(readFileSync(page, 'utf8'))?.[0].replace(/\s+/g, ' ') ?? ''
    const names = [...races.matchAll(/(?:Tests?: |, )\*([^*]+)\*/g)].map((match) => (match[1] ?? '').replace(/, \.\.\.$/, ''))
    expect(names.length).toBeGreaterThan(9)
    for (const name of names) if (name !== 'install snapshot') expect(sources).toContain(name)
  })
})

describe('a record', () => {
  const all: readonly WalRecord[] = [
    ...records,
    { kind: 'copiedEntry', group: 65_535, entry: { term: 2 ** 40, index: 2 ** 45, kind: 2, payload: new Uint8Array(0) } },
    { kind: 'snapshotMark', group: 0, mark: { index: 9, term: 3 }, keepsTail: true },
    { kind: 'snapshotMark', group: 0, mark: { index: 9, term: 3 }, keepsTail: false },
    { kind: 'compactMark', group: 1, mark: { index: 9, term: 3 } },
    { kind: 'quarantine', group: 2, reason: 'déjà vu' },
    replicaRecord,
    { kind: 'replica', group: 65_535, replica: { generation: 2 ** 45, isRemoved: false }, isCopied: true },
  ]

  test.each(all)('decodes to what was encoded: $kind', (record) => {
    const target = new Uint8Array(recordBytes(record) + 8)
    const { end, chain } = encodeRecord(target, 8, { record, chain: 77 })
    const header = decodeRecordHeader(target, 8, 77)
    expect([end, header?.chain]).toEqual([target.length, chain])
    if (header === undefined) throw new Error('the header decodes')
    expect(recordOf(header, target.subarray(40, 40 + header.payloadBytes))).toEqual(record)
  })

  test('does not pass behind any other record, nor past the end', () => {
    const target = new Uint8Array(64)
    const record: WalRecord = { kind: 'compactMark', group: 1, mark: { index: 9, term: 3 } }
    encodeRecord(target, 0, { record, chain: 77 })
    expect([decodeRecordHeader(target, 0, 78), decodeRecordHeader(target, 40, 77)]).toEqual([undefined, undefined])
  })

  test('a reason is cut to a bounded length', () => {
    expect(recordPayload({ kind: 'quarantine', group: 1, reason: 'x'.repeat(9_999) }).length).toBe(500)
  })
})

test('headers that are too short or of another kind decode to nothing', () => {
  expect(decodeSegmentHeader(new Uint8Array(39))).toBeUndefined()
  expect(decodeSegmentHeader(new Uint8Array(4_096))).toBeUndefined()
  expect(decodeGroupHeader(new Uint8Array(40), { segment: 1, offset: 0 })).toBeUndefined()
  expect(decodeGroupHeader(exampleSegment(), { segment: 2, offset: 4_096 })).toBeUndefined()
})

test('a segment states the lowest version that knows every kind it may hold, and a later one is refused', () => {
  const fields = { salt: 5, segment: 1, sizeBytes: 16_384, previous: { segment: 0, offset: 0 }, chain: 0, firstSegment: 1 }
  for (const [holdsReplicas, version] of [[false, 1], [true, 2]] as const) {
    const { bytes } = encodeSegmentHeader({ ...fields, holdsReplicas })
    expect([bytes[8], decodeSegmentHeader(bytes)]).toEqual([version, expect.objectContaining({ holdsReplicas })])
  }
  expect(FORMAT_VERSION).toBe(2)
})

test('a segment\'s name and number belong together', () => {
  expect([segmentName(12), segmentOfName('0000000012.wal'), segmentOfName('0000000012.wal.new'), segmentOfName('x.wal')])
    .toEqual(['0000000012.wal', 12, undefined, undefined])
})
