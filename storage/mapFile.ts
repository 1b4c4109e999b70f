/**
 * The newest cluster map this node has learned, as it stood when the node last acted on it: `map.bin`, a CRC (u32) and the bytes of the
 * state (actors/topology/codec.ts). It is durable before it is acted on, so that a node that starts alone knows what it hosts.
 *
 * Losing it loses nothing: the node starts from the genesis, opens only what its log agrees to, learns maps from its own log and from
 * its peers, old ones among them, and ends nothing that is newer than the map it has. One that joined later, which the genesis does not
 * know, asks whether it is a member (topology/ownMembership.ts). Lost together with a part of the log, nobody here
 * knows which replicas there were: only such as are ordered from then on begin (topology/replicaHost.ts).
 */

import { viewOf } from './bytes.ts'
import { crc32 } from './crc.ts'
import { replaceFile } from './replaceFile.ts'
import type { Done, FileSystem } from './fileSystem.ts'

export const MAP_FILE = 'map.bin'
const CRC_BYTES = 4
const MAP_BYTES_MAX = 4_194_304

export type MapFile =
  | { readonly kind: 'found'; readonly bytes: Uint8Array }
  | { readonly kind: 'none' }
  /** Not used, and not touched: the next map replaces it. */
  | { readonly kind: 'unusable'; readonly reason: string }

export const readMapFile = (fileSystem: FileSystem, done: (found: MapFile) => void): void => {
  fileSystem.open(MAP_FILE, 'read', (openError, file) => {
    if (openError !== null) {
      done(openError.code === 'ENOENT' ? { kind: 'none' } : { kind: 'unusable', reason: openError.message })
      return
    }
    file.read(0, MAP_BYTES_MAX, (readError, bytes) => {
      file.close(() => done(readError === null ? parse(bytes) : { kind: 'unusable', reason: readError.message }))
    })
  })
}

const parse = (file: Uint8Array): MapFile => {
  if (file.length <= CRC_BYTES) return { kind: 'unusable', reason: `${MAP_FILE} is cut short` }
  const bytes = file.slice(CRC_BYTES)
  const isIntact = viewOf(file).getUint32(0, true) === crc32(bytes)
  return isIntact ? { kind: 'found', bytes } : { kind: 'unusable', reason: `${MAP_FILE} is damaged: its checksum does not match` }
}

export const writeMapFile = (fileSystem: FileSystem, bytes: Uint8Array, done: Done): void => {
  const file = new Uint8Array(CRC_BYTES + bytes.length)
  viewOf(file).setUint32(0, crc32(bytes), true)
  file.set(bytes, CRC_BYTES)
  replaceFile(fileSystem, { name: MAP_FILE, bytes: file }, done)
}
