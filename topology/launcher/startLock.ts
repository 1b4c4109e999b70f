/**
 * One `shardkv start` at a time in a directory: a second one would write another configuration for the first one's broker, and be refused
 * only later, by the locks of the nodes. What a launcher that was killed leaves behind holds nobody up.
 */

import { acquireLock } from '../../storage/directoryLock.ts'

export type StartLock = { readonly release: () => Promise<void> } | { readonly problem: string }

/** The directory must be there. */
export const lockDirectory = (directory: string): Promise<StartLock> => new Promise((resolve) => {
  acquireLock(directory, (error, release) => {
    if (error === null) resolve({ release: () => new Promise<void>((done) => { release(done) }) })
    else if (error.code === 'ELOCKED') {
      resolve({ problem: `another "shardkv start" runs in ${directory}: stop it first, or choose another --dir. Nothing was changed.` })
    } else resolve({ problem: `${directory} can not be locked: ${error.message}` })
  })
})
