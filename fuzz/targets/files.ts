/** Small files: a snapshot as it is walked, the genesis and the map. Read from memory; checksums are made right after most changes. */

import { between } from '../../actors/kernel/random.ts'
import { crc32 } from '../../storage/crc.ts'
import { readGenesis } from '../../storage/genesis.ts'
import { readMapFile } from '../../storage/mapFile.ts'
import {
  CHUNK_HEADER_BYTES, encodeChunkHeader, encodeSnapshotHeader, encodeTrailer, SNAPSHOT_PREFIX_BYTES, TRAILER_BYTES,
} from '../../storage/snapshotFormat.ts'
import { walkSnapshot } from '../../storage/snapshotReader.ts'
import { clusterId, nodeId, replicaId } from '../../topology/ids.ts'
import { drawBytes, drawHex, drawList, drawWhole, drawWord } from '../draw.ts'
import { refused, textOf, utf8 } from '../target.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Genesis } from '../../actors/wal/protocol.ts'
import type { File, FileSystem } from '../../storage/fileSystem.ts'
import type { SnapshotHeader } from '../../storage/snapshotStore.ts'
import type { Outcome, Target } from '../target.ts'

/** What is asked for beyond the end is not allocated, as in the real file system. */
const fileOf = (bytes: Uint8Array): File => ({
  writev: (_, __, done) => done(null, 0),
  read: (position, length, done) => done(null, bytes.slice(position, position + length)),
  datasync: (done) => done(null),
  size: (done) => done(null, bytes.length),
  truncate: (_, done) => done(null),
  close: (done) => done(null),
})

const encodeSnapshot = (header: SnapshotHeader, chunks: readonly Uint8Array[]): Uint8Array => {
  const body = Buffer.concat([encodeSnapshotHeader(header), ...chunks.flatMap((chunk) => [encodeChunkHeader(chunk), chunk])])
  return Buffer.concat([body, encodeTrailer(crc32(body), chunks.length)])
}

const drawHeader = (random: Random): SnapshotHeader => ({
  group: between(random, 0, 9), index: drawWhole(random), term: drawWhole(random),
  configuration: {
    epoch: 0, voters: [replicaId(nodeId('a'), 1)], outgoing: [], learners: drawList(random, 1, () => replicaId(nodeId('b'), 2)),
  },
})

/** The bytes of a whole file, of the snapshot that is named. */
export const drawSnapshot = (random: Random, name: Pick<SnapshotHeader, 'group' | 'index' | 'term'>): Uint8Array =>
  encodeSnapshot({ ...drawHeader(random), ...name }, drawList(random, 3, (r) => drawBytes(r, 60)))

const walk = (bytes: Uint8Array): Outcome => {
  const chunks: Uint8Array[] = []
  const found: { outcome: Outcome } = { outcome: refused('no answer') }
  walkSnapshot({
    slices: { ask: (slice) => slice(1) }, file: fileOf(bytes), path: 'x.snap', onChunk: (chunk) => chunks.push(Uint8Array.from(chunk)),
  }, (error, info) => {
    if (error !== null) {
      found.outcome = refused(error.message)
      return
    }
    const { totalBytes, ...header } = info
    if (totalBytes !== bytes.length) throw new Error(`a file of ${bytes.length} bytes is said to have ${totalBytes}`)
    found.outcome = { ok: true, shape: `${Math.min(3, chunks.length)} chunks`, again: encodeSnapshot(header, chunks), value: chunks }
  })
  return found.outcome
}

const mendSnapshot = (bytes: Uint8Array): void => {
  if (bytes.length < SNAPSHOT_PREFIX_BYTES) return
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const jsonEnd = SNAPSHOT_PREFIX_BYTES + view.getUint32(12, true)
  if (jsonEnd > bytes.length) return
  view.setUint32(4, 0, true)
  view.setUint32(4, crc32(bytes.subarray(0, jsonEnd)), true)
  let at = jsonEnd
  let chunks = 0
  while (at + CHUNK_HEADER_BYTES <= bytes.length) {
    const length = view.getUint32(at, true)
    if (length === 0xffff_ffff) {
      if (at + TRAILER_BYTES <= bytes.length) bytes.set(encodeTrailer(crc32(bytes.subarray(0, at)), chunks), at)
      return
    }
    const end = at + CHUNK_HEADER_BYTES + length
    if (end > bytes.length) return
    view.setUint32(at + 4, crc32(bytes.subarray(at + CHUNK_HEADER_BYTES, end)), true)
    chunks += 1
    at = end
  }
}

export const snapshotFile: Target = {
  name: 'snapshot file', share: 3, isCanonical: false,
  example: (random) => encodeSnapshot(drawHeader(random), drawList(random, 3, (r) => drawBytes(r, 60))),
  decode: walk,
  mend: mendSnapshot,
  words: ['"group":', '"index":', '"term":', '"voters":', '[]', '{}', 'null', '1e999', '-1'],
}

const encodeGenesis = (genesis: Genesis): Uint8Array => {
  const text = JSON.stringify(genesis)
  return utf8(`{"crc32":${crc32(utf8(text))},"genesis":${text}}\n`)
}

const drawGenesis = (random: Random): Genesis => {
  const members = [nodeId(drawWord(random, 4)), nodeId(`z${drawWord(random, 4)}`)]
  const replicas = drawList(random, 3, () => members.map((member) => replicaId(member, 1)))
  return {
    cluster: clusterId(drawHex(random, 16)), node: members[0] ?? nodeId('a'), shardCount: replicas.length, members, replicas,
    createdAtMs: drawWhole(random),
  }
}

const readBack = (bytes: Uint8Array): Outcome => {
  const fileSystem = {
    list: (_: string, done: (error: null, names: readonly string[]) => void) => done(null, ['genesis.json']),
    open: (_: string, __: string, done: (error: null, file: File) => void) => done(null, fileOf(bytes)),
  } as Pick<FileSystem, 'list' | 'open'> as FileSystem
  const found: { outcome: Outcome } = { outcome: refused('no answer') }
  readGenesis(fileSystem, (result) => {
    if (result.kind === 'found') {
      const { genesis } = result
      found.outcome = { ok: true, shape: 'found', again: encodeGenesis(genesis), value: useOf(genesis) }
    } else found.outcome = refused(result.kind === 'refused' ? result.reason : result.kind)
  })
  return found.outcome
}

/** What a starting node does with it at once: anything that is no genesis must not get here. */
const useOf = ({ node, cluster, members, replicas, shardCount, createdAtMs }: Genesis): unknown => [
  node.length, cluster.length, members.map((member) => member.length), replicas.map((ids) => ids.map((id) => id.length)),
  shardCount.toFixed(), createdAtMs.toFixed(),
]

const mendGenesis = (bytes: Uint8Array): void => {
  const text = textOf(bytes)
  const match = /^\{"crc32":(\d+),"genesis":([\s\S]*)\}\s*$/.exec(text)
  const [, digits = '', inner = ''] = match ?? []
  if (digits === '') return
  let again: string | undefined
  try {
    again = JSON.stringify(JSON.parse(Buffer.from(inner, 'latin1').toString('utf8')))
  } catch {
    return
  }
  const checksum = String(crc32(utf8(again))).padStart(digits.length, ' ')
  if (checksum.length === digits.length) bytes.set(Buffer.from(checksum), '{"crc32":'.length)
}

export const genesisFile: Target = {
  name: 'genesis', share: 2, isCanonical: false,
  example: (random) => encodeGenesis(drawGenesis(random)),
  decode: readBack,
  mend: mendGenesis,
  words: ['null', '[]', '{}', '""', '-1', '1e999', '"replicas":', '"members":', '"node":', '"shardCount":'],
}

const CRC_BYTES = 4

/** What storage/mapFile.ts writes: a checksum and the bytes, which are the codec's to understand (metaGroup.ts). */
const encodeMapFile = (bytes: Uint8Array): Uint8Array => {
  const file = Buffer.concat([new Uint8Array(CRC_BYTES), bytes])
  file.writeUInt32LE(crc32(bytes))
  return file
}

const readMapBack = (bytes: Uint8Array): Outcome => {
  const fileSystem = {
    open: (_: string, __: string, done: (error: null, file: File) => void) => done(null, fileOf(bytes)),
  } as Pick<FileSystem, 'open'> as FileSystem
  const found: { outcome: Outcome } = { outcome: refused('no answer') }
  readMapFile(fileSystem, (map) => {
    if (map.kind === 'found') found.outcome = { ok: true, shape: 'found', again: encodeMapFile(map.bytes), value: map.bytes.length }
    else found.outcome = refused(map.kind === 'unusable' ? map.reason : map.kind)
  })
  return found.outcome
}

export const mapFile: Target = {
  name: 'map file', share: 1, isCanonical: true,
  example: (random) => encodeMapFile(Uint8Array.of(1, ...drawBytes(random, 80))),
  decode: readMapBack,
  mend: (bytes) => {
    if (bytes.length > CRC_BYTES) bytes.set(encodeMapFile(bytes.subarray(CRC_BYTES)))
  },
}
