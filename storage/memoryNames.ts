/**
 * The directory tree of the memory file system: which name leads to which inode, as readers see it and as the platter has it.
 *
 * A creation, renaming or removal is seen at once, and durable once a sync of its directory that began after it has completed. At a crash
 * every operation not yet synced survives or is lost on its own. Directories themselves are never lost.
 */

import type { FileError } from './fileSystem.ts'
import { crashInode, createInode, inodeBytes, inodeOf } from './memoryInode.ts'
import type { Inode, Survival } from './memoryInode.ts'
import type { DiskImage } from './memoryFileSystem.ts'

type DirectoryOperation =
  | { readonly kind: 'create'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'remove'; readonly path: string }

export interface MemoryNames {
  /** By path, as readers see it. */
  readonly seen: Map<string, Inode>
  readonly durable: Map<string, Inode>
  readonly directories: Set<string>
  /** What `seen` has and `durable` does not, in order. */
  unsynced: DirectoryOperation[]
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

export const errorOf = (code: string, path: string): FileError => Object.assign(new Error(`${code}: ${path}`), { code })

export const namesOf = (image: DiskImage): MemoryNames => {
  const durable = new Map([...image.files].map(([path, bytes]) => [path, inodeOf(bytes)]))
  return { seen: new Map(durable), durable, directories: new Set([...image.directories, '']), unsynced: [] }
}

export const inodeNamed = (names: MemoryNames, path: string): Inode => {
  const inode = names.seen.get(path)
  if (inode === undefined) throw errorOf('ENOENT', path)
  return inode
}

export const createName = (names: MemoryNames, path: string): Inode => {
  if (names.seen.has(path)) throw errorOf('EEXIST', path)
  if (!names.directories.has(parentOf(path))) throw errorOf('ENOENT', path)
  const inode = createInode()
  record(names, { kind: 'create', path, inode })
  return inode
}

export const renameName = (names: MemoryNames, from: string, to: string): void => {
  inodeNamed(names, from)
  record(names, { kind: 'rename', path: from, to })
}

export const removeName = (names: MemoryNames, path: string): void => {
  inodeNamed(names, path)
  record(names, { kind: 'remove', path })
}

/** A disk has lost the file: the name is gone from the platter, too, and with it whatever would have led there. No call of a process. */
export const loseName = (names: MemoryNames, path: string): void => {
  for (const known of [names.seen, names.durable]) known.delete(path)
  names.unsynced = names.unsynced.filter((operation) => operation.path !== path && !(operation.kind === 'rename' && operation.to === path))
}

export const addDirectory = ({ directories }: MemoryNames, path: string): void => {
  for (let at = path; at !== ''; at = parentOf(at)) directories.add(at)
}

/** Names, not paths, sorted. */
export const listNames = ({ seen, directories }: MemoryNames, path: string): readonly string[] => {
  if (!directories.has(path)) throw errorOf('ENOENT', path)
  const names = [...seen.keys(), ...directories].filter((entry) => entry !== '' && parentOf(entry) === path).map(nameOf)
  return names.sort()
}

/** Marks what is unsynced in the directory now; the returned function makes exactly that durable. */
export const beginDirectorySync = (names: MemoryNames, path: string): (() => void) => {
  const covered = new Set(names.unsynced.filter((operation) => parentOf(operation.path) === path))
  return () => {
    for (const operation of covered) applyOperation(names.durable, operation)
    names.unsynced = names.unsynced.filter((operation) => !covered.has(operation))
  }
}

export const imageSeen = ({ seen, directories }: MemoryNames): DiskImage =>
  ({ files: new Map([...seen].map(([path, inode]) => [path, inodeBytes(inode)])), directories: new Set(directories) })

/** Draws what a power loss leaves. The names are of no use afterwards. */
export const imageSurviving = ({ durable, directories, unsynced }: MemoryNames, survival: Survival): DiskImage => {
  for (const operation of unsynced) {
    if (survival.survives()) applyOperation(durable, operation)
  }
  const files = new Map([...durable].map(([path, inode]) => [path, crashInode(inode, survival)]))
  return { files, directories: new Set(directories) }
}

const record = (names: MemoryNames, operation: DirectoryOperation): void => {
  names.unsynced.push(operation)
  applyOperation(names.seen, operation)
}

const applyOperation = (names: Map<string, Inode>, operation: DirectoryOperation): void => {
  if (operation.kind === 'create') {
    names.set(operation.path, operation.inode)
    return
  }
  const inode = names.get(operation.path)
  if (inode === undefined) return
  names.delete(operation.path)
  if (operation.kind === 'rename') names.set(operation.to, inode)
}
