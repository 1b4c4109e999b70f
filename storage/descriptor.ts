/** A file descriptor that somebody else opened, such as standard output: written to, never closed. */

import { write, writeSync } from 'node:fs'

export interface Descriptor {
  /** As much of it as goes: calls back once, with how many bytes that was. */
  readonly write: (bytes: Uint8Array, done: (error: NodeJS.ErrnoException | null, written: number) => void) => void
  /** The same, before it returns. Throws. */
  readonly writeSync: (bytes: Uint8Array) => number
}

export const openDescriptor = (descriptor: number): Descriptor => ({
  write: (bytes, done) => { write(descriptor, bytes, (error, written) => done(error, error === null ? written : 0)) },
  writeSync: (bytes) => writeSync(descriptor, bytes),
})
