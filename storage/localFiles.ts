/**
 * Plain files for the launcher and the CLI: settings, logs, checkpoints, input. A port like FileSystem, but with promises and absolute
 * paths: nothing here runs in the simulator, and no promise of durability to a client rests on it.
 *
 * A missing file is an answer (null, an empty list), every other failure is thrown as Node's own error, with the path that was asked for.
 */

import { constants, createReadStream } from 'node:fs'
import { access, mkdir, open, readFile, readdir, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

const STREAM_CHUNK_BYTES = 256 * 1024

export interface FileFacts {
  readonly sizeBytes: number
  readonly modifiedMs: number
}

/** An open file a child process writes to; close it in the parent once the child has it. */
export interface AppendFile {
  readonly descriptor: number
  readonly close: () => Promise<void>
}

export interface LocalFiles {
  readonly readText: (path: string) => Promise<string | null>
  /**
   * Whole or not at all, also across a power failure: written beside, synced, renamed, the directory synced. A link stays one, and leads
   * to the new content. What is neither file nor folder (a device, a pipe) stays too, and takes the content as it takes it, maybe in part.
   */
  readonly writeAtomically: (path: string, content: string | Uint8Array, mode?: number) => Promise<void>
  /** With parents; no error when it exists. */
  readonly makeDirectory: (path: string) => Promise<void>
  /** Sorted names; empty when the directory is missing. */
  readonly list: (path: string) => Promise<readonly string[]>
  readonly facts: (path: string) => Promise<FileFacts | null>
  readonly isExecutable: (path: string) => Promise<boolean>
  readonly rename: (from: string, to: string) => Promise<void>
  /** A file or a whole directory; no error when it is missing. */
  readonly remove: (path: string) => Promise<void>
  readonly openAppend: (path: string) => Promise<AppendFile>
  /** Up to `lengthMax` bytes from `position`; empty at the end or when the file is missing. */
  readonly readRange: (path: string, position: number, lengthMax: number) => Promise<Uint8Array>
  /** The whole file in chunks, never more than one ahead of the reader. */
  readonly stream: (path: string) => AsyncIterable<Uint8Array>
}

export const createLocalFiles = (): LocalFiles => ({
  readText: (path) => about(path, orIfMissing(readFile(path, 'utf8'), null)),
  writeAtomically: (path, content, mode = 0o644) => about(path, writeAtomically(path, content, mode)),
  makeDirectory,
  list: async (path) => (await orIfMissing(readdir(path), [])).sort(),
  facts: async (path) => {
    const found = await orIfMissing(stat(path), null)
    return found === null ? null : { sizeBytes: found.size, modifiedMs: found.mtimeMs }
  },
  isExecutable: async (path) => {
    try {
      await access(path, constants.X_OK)
      return (await stat(path)).isFile()
    } catch {
      return false
    }
  },
  rename,
  remove: (path) => rm(path, { recursive: true, force: true }),
  openAppend: async (path) => {
    const file = await open(path, 'a')
    return { descriptor: file.fd, close: () => file.close() }
  },
  readRange: (path, position, lengthMax) => about(path, readRange(path, position, lengthMax)),
  stream: (path) => createReadStream(path, { highWaterMark: STREAM_CHUNK_BYTES }),
})

/**
 * Not by Node's own `recursive`, which goes round for ever where a folder is there and takes no other: below /proc, in what is mounted on
 * demand, and in a working folder that has been removed. Here the second try is the last.
 */
const makeDirectory = async (path: string): Promise<void> => {
  try {
    await makeOne(path)
  } catch (error) {
    if (!isMissing(error) || dirname(path) === path) throw error
    await makeDirectory(dirname(path))
    await makeOne(path)
  }
}

const makeOne = async (path: string): Promise<void> => {
  try {
    await mkdir(path)
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST' && (await stat(path)).isDirectory()
    if (!isThere) throw error
  }
}

const writeAtomically = async (path: string, content: string | Uint8Array, mode: number): Promise<void> => {
  const there = await orIfMissing(stat(path), null)
  const isFileOrNone = there === null || there.isFile() || there.isDirectory()
  await (isFileOrNone ? replace(await endOf(path), content, mode) : pour(path, content))
}

/** Where the links of a path end, whether or not something is there. For one that stat() has followed: they do not go round. */
const endOf = async (path: string): Promise<string> => {
  try {
    return await realpath(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const target = await readlink(path).catch(() => null)
  return target === null ? path : endOf(resolve(await realpath(dirname(path)), target))
}

/** A rename would put a file in the place of /dev/null, and nobody would read from the pipe. Nor can these be synced. */
const pour = async (path: string, content: string | Uint8Array): Promise<void> => {
  const there = await open(path, constants.O_WRONLY)
  try {
    await there.writeFile(content)
  } finally {
    await there.close()
  }
}

const replace = async (path: string, content: string | Uint8Array, mode: number): Promise<void> => {
  const beside = `${path}.${process.pid}.new`
  try {
    await writeSynced(beside, content, mode)
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {})
    throw error
  }
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

const writeSynced = async (path: string, content: string | Uint8Array, mode: number): Promise<void> => {
  const file = await open(path, 'w', mode)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

const readRange = async (path: string, position: number, lengthMax: number): Promise<Uint8Array> => {
  const file = await orIfMissing(open(path, 'r'), null)
  if (file === null) return new Uint8Array(0)
  try {
    const buffer = new Uint8Array(lengthMax)
    const { bytesRead } = await file.read(buffer, 0, lengthMax, position)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** Node's own errors name the file beside, or none where reading or writing failed. */
const about = async <T>(path: string, work: Promise<T>): Promise<T> => {
  try {
    return await work
  } catch (error) {
    throw Object.assign(error as Error, { path })
  }
}

const orIfMissing = async <T, U>(work: Promise<T>, otherwise: U): Promise<T | U> => {
  try {
    return await work
  } catch (error) {
    if (isMissing(error)) return otherwise
    throw error
  }
}

const isMissing = (error: unknown): boolean => (error as { code?: unknown }).code === 'ENOENT'
