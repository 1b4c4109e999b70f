/** Writes all of some bytes, however short the single writes are. */

import type { Done, File } from './fileSystem.ts'

export const writeFully = (file: File, write: { readonly bytes: Uint8Array; readonly position: number }, done: Done): void => {
  const { bytes, position } = write
  if (bytes.length === 0) {
    done(null)
    return
  }
  file.writev([bytes], position, (error, count) => {
    if (error !== null) done(error)
    else if (count < bytes.length) writeFully(file, { bytes: bytes.subarray(count), position: position + count }, done)
    else done(null)
  })
}
