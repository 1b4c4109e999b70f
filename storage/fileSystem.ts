/**
 * The file-system port. Everything that reaches a disk goes through it, so that the simulator can lose, tear and corrupt
 * what was not synced, and so that every call can be made to fail in a test.
 *
 * Callbacks, not promises: the simulator runs whole clusters in one synchronous loop, and a promise would let the engine
 * decide the order of events. A callback is never called before the function that took it has returned.
 * Errors are Node's (`code` is 'ENOSPC', 'EIO', 'ENOENT', ...). Paths use `/` and are relative to the data directory.
 */

export type FileError = Error & { readonly code?: string | undefined }
export type Done<T = void> = (error: FileError | null, result: T) => void

export interface WriteFailure {
  readonly isSync: boolean
  readonly error: FileError
}

export type WrittenSynced = (failure: WriteFailure | null, count: number) => void

export interface File {
  /**
   * Writes all buffers at `position`, in order. The result is the number of bytes written, which may be short.
   * The buffers belong to the file until the callback.
   */
  readonly writev: (buffers: readonly Uint8Array[], position: number, done: Done<number>) => void
  /** Reads up to `length` bytes at `position`; a shorter result means the end of the file. The result is the caller's. */
  readonly read: (position: number, length: number, done: Done<Uint8Array>) => void
  /** fdatasync. After an error the file must not be used again: the kernel may have dropped the dirty pages. */
  readonly datasync: (done: Done) => void
  /**
   * Where the platform can do both in one call: writes as `writev`, and when it answers the bytes that it counts are as durable as after a
   * `datasync`; no others are. After a failure with `isSync` the file must not be used again; after another nothing of this call counts,
   * and all of it may be written once more.
   */
  readonly writeSynced?: ((buffers: readonly Uint8Array[], position: number, done: WrittenSynced) => void) | undefined
  readonly size: (done: Done<number>) => void
  readonly truncate: (length: number, done: Done) => void
  readonly close: (done: Done) => void
}

export interface FileSystem {
  /** `create` fails with EEXIST when the file exists; `write` opens an existing one for reading and writing. */
  readonly open: (path: string, mode: 'read' | 'write' | 'create', done: Done<File>) => void
  /** Creates the directory and its parents; no error when it exists. Its parents are synced by the implementation, in both cases. */
  readonly makeDirectory: (path: string, done: Done) => void
  /** Names (not paths) of the entries, sorted by code unit. ENOENT when the directory is missing. */
  readonly list: (path: string, done: Done<readonly string[]>) => void
  readonly rename: (from: string, to: string, done: Done) => void
  readonly remove: (path: string, done: Done) => void
  /** fsync of the directory: makes creations, renames and removals in it durable. */
  readonly syncDirectory: (path: string, done: Done) => void
  /** What files in the directory may still grow by, as its disk tells it. Infinity where it tells nothing. A quota may allow less. */
  readonly freeBytes: (path: string, done: Done<number>) => void
}
