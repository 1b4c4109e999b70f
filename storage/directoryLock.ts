/**
 * The lock of a data directory: at most one live process at a time (docs/TESTING.md T14). Production only.
 *
 * A holder is a listening Unix socket `lock-<random>.sock` in the directory. Connecting to it tells whether its owner lives: the
 * kernel closes a listener with its process, kill -9 included, and keeps answering for one that is merely stopped. Process
 * numbers would not do: they are reused, and two containers that share a volume both run as process 1.
 *
 * Announce, then look:
 * 1. Listen on a temporary name, then rename to the final one, so that a final name is always a socket that listens.
 * 2. Look at every other final name. One that answers belongs to a live process: withdraw, and try again a few times.
 * 3. One that refuses is dead for ever, since names are random and never reused: remove it.
 * Of two processes the one that announced later looks after the other announced, and sees it. So two never hold; two that start in the
 * same instant may both withdraw, and a random pause separates them.
 */

import * as fs from 'node:fs'
import { connect, createServer } from 'node:net'
import type { Server } from 'node:net'
import { join, relative } from 'node:path'
import { randomBytes, randomInt } from 'node:crypto'
import type { Done, FileError } from './fileSystem.ts'

export type ReleaseLock = (done: () => void) => void

const ATTEMPTS_MAX = 4
const PAUSE_MS_MIN = 20
const PAUSE_MS_MAX = 200
/** sun_path holds 108 bytes with its terminator on Linux, 104 on macOS. */
const SOCKET_PATH_BYTES_MAX = 103
const lockPattern = /^lock-[0-9a-f]{16}\.sock$/

const lockError = (code: string, message: string): FileError => Object.assign(new Error(message), { code })

/** The path as the socket calls take it: relative to the working directory when that is what fits. */
const socketPath = (directory: string, name: string): string | undefined => {
  const full = join(directory, name)
  return [full, relative(process.cwd(), full)].find((path) => Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX)
}

/**
 * Fails with code 'ELOCKED' when another live process holds the directory, 'ENOENT' when it is not there. Release it before a clean
 * exit; a crash releases it too.
 */
export const acquireLock = (directory: string, done: Done<ReleaseLock>): void => {
  const noRelease: ReleaseLock = (released) => released()
  const attempt = (count: number): void => {
    announce(directory, (error, held) => {
      if (error !== null || held === undefined) {
        done(error, noRelease)
        return
      }
      findLiveHolder(directory, held.name, (lookError, holder) => {
        if (lookError === null && holder === undefined) {
          done(null, (released) => withdraw(directory, held, released))
          return
        }
        withdraw(directory, held, () => {
          if (lookError !== null) done(lookError, noRelease)
          else if (count >= ATTEMPTS_MAX) done(lockedBy(directory, holder), noRelease)
          else setTimeout(() => attempt(count + 1), randomInt(PAUSE_MS_MIN, PAUSE_MS_MAX))
        })
      })
    })
  }
  // A socket in a folder that is not there fails with EACCES, which would send people to look at permissions.
  fs.stat(directory, (error) => {
    if (error === null) attempt(1)
    else done(error, noRelease)
  })
}

const lockedBy = (directory: string, holder: string | undefined): FileError => lockError('ELOCKED',
  `data directory ${directory} is in use by another live process (${holder ?? ''}); stop it, or give this node its own --dir`)

interface Held { readonly name: string; readonly server: Server }

const announce = (directory: string, done: Done<Held | undefined>): void => {
  const id = randomBytes(8).toString('hex')
  const temporary = socketPath(directory, `lock-${id}.tmp`)
  if (temporary === undefined || socketPath(directory, `lock-${id}.sock`) === undefined) {
    setImmediate(() => done(lockError('ENAMETOOLONG', `data directory ${directory} has too long a path for its lock `
      + `(a socket's path holds ${SOCKET_PATH_BYTES_MAX} bytes): choose a shorter one`), undefined))
    return
  }
  const server = createServer((socket) => socket.destroy())
  server.once('error', (error) => done(error, undefined))
  server.listen(temporary, () => {
    server.unref()
    const name = `lock-${id}.sock`
    fs.rename(join(directory, `lock-${id}.tmp`), join(directory, name), (error) => done(error, { name, server }))
  })
}

const withdraw = (directory: string, held: Held, done: () => void): void => {
  fs.unlink(join(directory, held.name), () => held.server.close(() => done()))
}

/** The name of another holder that lives; removes the dead ones met on the way. */
const findLiveHolder = (directory: string, own: string, done: Done<string | undefined>): void => {
  fs.readdir(directory, (error, names) => {
    if (error !== null) {
      done(error, undefined)
      return
    }
    const others = names.filter((name) => lockPattern.test(name) && name !== own)
    const lookAt = (next: number): void => {
      const name = others[next]
      if (name === undefined) {
        done(null, undefined)
        return
      }
      isAlive(directory, name, (alive) => {
        if (alive) done(null, name)
        else fs.unlink(join(directory, name), () => lookAt(next + 1))
      })
    }
    lookAt(0)
  })
}

/** Dead only when the kernel says so; any other answer, such as a full backlog, counts as alive. */
const isAlive = (directory: string, name: string, done: (alive: boolean) => void): void => {
  const socket = connect(socketPath(directory, name) ?? '')
  socket.once('connect', () => {
    socket.destroy()
    done(true)
  })
  socket.once('error', (error: NodeJS.ErrnoException) => done(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'))
}
