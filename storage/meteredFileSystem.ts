/** A file system that times its data syncs: what `shardkv doctor` and `top` know of a node's disk. Everything else passes through. */

import type { File, FileSystem } from './fileSystem.ts'

/** `onSync` gets milliseconds, after every sync that succeeded. */
export const meteredFileSystem = (inner: FileSystem, now: () => number, onSync: (tookMs: number) => void): FileSystem => ({
  ...inner,
  open: (path, mode, done) => inner.open(path, mode, (error, file) => {
    if (error === null) done(null, meteredFile(file, now, onSync))
    else done(error, file)
  }),
})

const meteredFile = (file: File, now: () => number, onSync: (tookMs: number) => void): File => ({
  ...file,
  datasync: (done) => {
    const startedAt = now()
    file.datasync((error) => {
      if (error === null) onSync(now() - startedAt)
      done(error)
    })
  },
})
