/**
 * The last stage of the log target `syslog:tcp:...`, in its thread: lines over one connection, which is made anew whenever it is gone. It
 * asks for more when the system has taken what there was, and so for none while the receiver does not read or is away. The thread
 * fills up then, and what is above its limit is lost and counted (logThread.ts). pino-socket, which sends by UDP, would take everything and
 * hold it without limit.
 *
 * What was being written when a connection broke goes over the next one as a whole, perhaps again. What the system took for a receiver that
 * has gone since is lost and nobody knows: TCP tells a sender nothing of that, and syslog acknowledges no line.
 */

import { connect as connectTcp } from 'node:net'
import { Writable } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { tellOperator } from './operator.ts'
import type { Socket } from 'node:net'

/** Between two attempts to connect; doubled each time. */
const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 10_000

/** As pino-socket calls them. */
export interface SyslogSenderOptions {
  readonly address: string
  readonly port: number
  /** By TLS; `noverify`: whoever answers. */
  readonly secure?: boolean
  readonly noverify?: boolean
  /** Path of a socket, instead of the address. */
  readonly unixsocket?: string
}

const open = (options: SyslogSenderOptions): Writable => {
  /** Connected, or on its way. */
  let socket: Socket | null = null
  let isConnected = false
  let retry: NodeJS.Timeout | undefined
  let retryMs = RETRY_MS_MIN
  let isTold = false

  const connect = (ready: (by: Socket) => void, failed: () => void): void => {
    let hasBeenConnected = false
    const attempt = dial(options, () => {
      hasBeenConnected = true
      isConnected = true
      ready(attempt)
    })
    socket = attempt
    // Unread, what a receiver says would keep it from being seen to go.
    attempt.resume()
    attempt.on('error', ({ message }) => {
      if (!isTold) tellOperator(`the log target syslog can not be reached, lines wait: ${message}`)
      isTold = true
    })
    attempt.once('close', () => {
      socket = null
      isConnected = false
      if (!hasBeenConnected) failed()
    })
  }
  const later = (what: () => void): void => {
    retry = setTimeout(what, retryMs)
    retryMs = Math.min(RETRY_MS_MAX, retryMs * 2)
  }
  const deliver = (bytes: Buffer, done: () => void): void => {
    const again = (): void => later(() => deliver(bytes, done))
    const send = (by: Socket): void => {
      by.write(bytes, (error) => {
        // Of what was under way when a socket was destroyed Node says no error. And there is one connection at a time.
        if (error || by.destroyed) {
          if (by.closed) again()
          else by.once('close', again).destroy()
          return
        }
        if (isTold) tellOperator('the log target syslog takes lines again')
        isTold = false
        retryMs = RETRY_MS_MIN
        done()
      })
    }
    if (socket !== null && isConnected) send(socket)
    else connect(send, again)
  }
  return new Writable({
    write: (chunk: Buffer, _, done) => deliver(chunk, done),
    writev: (chunks, done) => deliver(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), done),
    final: (done) => {
      if (socket === null) done()
      else socket.end(() => done())
    },
    destroy: (error, done) => {
      clearTimeout(retry)
      socket?.removeAllListeners('close').destroy()
      done(error)
    },
  })
}

const dial = (options: SyslogSenderOptions, ready: () => void): Socket => {
  const { address: host, port, secure = false, noverify = false, unixsocket = '' } = options
  const where = unixsocket === '' ? { host, port } : { path: unixsocket }
  return secure ? connectTls({ ...where, rejectUnauthorized: !noverify }, ready) : connectTcp(where, ready)
}

/** A worker's entry: pino takes what is exported like this. */
export { open as default }
