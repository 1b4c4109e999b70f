/**
 * The two kinds of file that this process writes its log to by itself: a descriptor, which is standard output, and one that pino-roll
 * rolls. (Remote targets have threads of their own: logTargets.ts.)
 *
 * A rolled file is a SonicBoom. It is given one chunk at a time, and tells `drain` when that is written; after an error it has kept the
 * chunk, and tries it again with whatever it is given next. Rolling is its own business, between two chunks.
 */

import { openDescriptor } from '../storage/descriptor.ts'
import type { LogOutlet } from './logWriter.ts'

export const descriptorOutlet = (descriptor: number): LogOutlet => ({ ...openDescriptor(descriptor), end: (done) => done() })

/** Of SonicBoom, with `minLength: 0`: whatever it is given it writes at once. */
export interface RolledFile {
  readonly fd: number
  readonly write: (text: string) => unknown
  readonly end: () => void
  /** Closes it without another try. */
  readonly destroy: () => void
  readonly on: (event: 'drain' | 'error', heard: (error?: NodeJS.ErrnoException) => void) => unknown
  readonly once: (event: 'ready' | 'close', heard: () => void) => unknown
}

/** `onTrouble`: an error that is no chunk's, such as one of rolling. */
export const rolledOutlet = (file: RolledFile, onTrouble: (error: Error) => void): LogOutlet => {
  let given: { readonly bytes: number; readonly done: Parameters<LogOutlet['write']>[1] } | null = null
  let isKept = false
  const settle = (error: NodeJS.ErrnoException | null): void => {
    const settled = given
    given = null
    if (settled !== null) {
      isKept = error !== null
      settled.done(error, error === null ? settled.bytes : 0)
    } else if (error !== null) onTrouble(error)
  }
  file.on('drain', () => settle(null))
  file.on('error', (error) => settle(error ?? new Error('unknown')))
  return {
    write: (bytes, done) => {
      given = { bytes: bytes.length, done }
      file.write(isKept ? '' : Buffer.from(bytes).toString())
    },
    writeSync: (bytes) => openDescriptor(file.fd).writeSync(bytes),
    end: (done) => {
      file.once('close', done)
      if (isKept) file.destroy()
      else file.end()
    },
  }
}
