/**
 * The genesis file: who this data directory belongs to, written once when the cluster is created.
 *
 * `genesis.json` is one line of JSON, `{"crc32":n,"genesis":{...}}`, the CRC over the JSON text of `genesis`. It is written to a temporary
 * name, synced, renamed, and the directory synced. A directory that holds anything else but no valid genesis is refused and
 * left exactly as it is: what looks empty may be a failed mount, and what looks foreign may be all that is left.
 */

import type { Genesis } from '../actors/wal/protocol.ts'
import { crc32 } from './crc.ts'
import { replaceFile } from './replaceFile.ts'
import type { Done, FileError, FileSystem } from './fileSystem.ts'

export type GenesisRefusal = 'missing' | 'damaged' | 'unreadable'

export type GenesisResult =
  | { readonly kind: 'found'; readonly genesis: Genesis }
  /** The directory is empty or absent: a new cluster may be created in it. */
  | { readonly kind: 'none' }
  /** Nothing was changed. `message` says what to do. */
  | { readonly kind: 'refused'; readonly reason: GenesisRefusal; readonly message: string }

const GENESIS_FILE = 'genesis.json'
const TEMPORARY_FILE = 'genesis.json.tmp'
const GENESIS_BYTES_MAX = 1_048_576
/** At the top of ext file systems. After a repair it may be where everything else went, so no cluster begins or is joined beside it. */
const LOST_AND_FOUND = 'lost+found'
const TOP_OF_FILE_SYSTEM = 'if this is the top of a new file system, give the node a folder below it, --dir DIR/NAME'
/** What a directory may hold before there is a genesis: an interrupted write of it, and locks (directoryLock.ts). */
const isAllowedBefore = (name: string): boolean => name === TEMPORARY_FILE || name.startsWith('lock-')

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const refusal = (reason: GenesisRefusal, what: string): GenesisResult => ({
  kind: 'refused', reason,
  message: `${what}. Nothing was changed. Check that the right directory is mounted; restore ${GENESIS_FILE} from a copy of this `
    + 'same directory; or join under another name with an empty directory ("shardkv node --join --id NAME --dir DIR"), and remove this one',
})

export const readGenesis = (fileSystem: FileSystem, done: (result: GenesisResult) => void): void => {
  fileSystem.list('', (error, names) => {
    if (error?.code === 'ENOENT') done({ kind: 'none' })
    else if (error !== null) done(refusal('unreadable', `the data directory can not be read (${error.message})`))
    else if (names.includes(GENESIS_FILE)) readFile(fileSystem, done)
    else done(withoutGenesis(names))
  })
}

const withoutGenesis = (names: readonly string[]): GenesisResult => {
  const others = names.filter((name) => !isAllowedBefore(name))
  if (others.length === 0) return { kind: 'none' }
  const what = `the data directory holds ${others.slice(0, 5).join(', ')} but no ${GENESIS_FILE}`
  return refusal('missing', others.every((name) => name === LOST_AND_FOUND) ? `${what}: ${TOP_OF_FILE_SYSTEM}` : what)
}

const readFile = (fileSystem: FileSystem, done: (result: GenesisResult) => void): void => {
  const unreadable = (error: FileError): void =>
    done(refusal('unreadable', `${GENESIS_FILE} can not be read (${error.message})`))
  fileSystem.open(GENESIS_FILE, 'read', (openError, file) => {
    if (openError !== null) {
      unreadable(openError)
      return
    }
    file.read(0, GENESIS_BYTES_MAX, (readError, bytes) => {
      file.close(() => {
        if (readError !== null) unreadable(readError)
        else done(parse(bytes))
      })
    })
  })
}

const parse = (bytes: Uint8Array): GenesisResult => {
  const damaged = refusal('damaged', `${GENESIS_FILE} is damaged: its checksum does not match`)
  try {
    const outer = JSON.parse(decoder.decode(bytes)) as { readonly crc32?: unknown; readonly genesis?: unknown } | null
    if (!isGenesis(outer?.genesis) || outer?.crc32 !== checksumOf(outer.genesis)) return damaged
    return { kind: 'found', genesis: outer.genesis }
  } catch {
    return damaged
  }
}

const isNames = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every((name) => typeof name === 'string')

/** What a node tells another of its genesis; null when it is none. */
export const genesisOf = (value: unknown): Genesis | null => (isGenesis(value) ? value : null)

/** The checksum says that these are the bytes that were written; this, that what wrote them wrote a genesis. */
const isGenesis = (value: unknown): value is Genesis => {
  if (typeof value !== 'object' || value === null) return false
  const { cluster, node, shardCount, members, replicas, createdAtMs, hasJoined } = value as Readonly<Record<string, unknown>>
  return typeof cluster === 'string' && typeof node === 'string' && isNames(members) && members.length > 0
    && Array.isArray(replicas) && replicas.every(isNames) && replicas.length === shardCount && Number.isFinite(createdAtMs)
    && (hasJoined === undefined || hasJoined === true)
}

const checksumOf = (genesis: Genesis): number => crc32(encoder.encode(JSON.stringify(genesis)))

/** Fails with EEXIST when a genesis is there already: it is never replaced. */
export const writeGenesis = (fileSystem: FileSystem, genesis: Genesis, done: Done): void => {
  const bytes = encoder.encode(`${JSON.stringify({ crc32: checksumOf(genesis), genesis })}\n`)
  fileSystem.makeDirectory('', (makeError) => {
    if (makeError !== null) {
      done(makeError)
      return
    }
    readGenesis(fileSystem, (found) => {
      if (found.kind !== 'none') done(Object.assign(new Error('the data directory is not empty'), { code: 'EEXIST' }))
      else replaceFile(fileSystem, { name: GENESIS_FILE, bytes }, done)
    })
  })
}
