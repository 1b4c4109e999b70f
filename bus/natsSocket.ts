/**
 * TCP to a broker. What comes is read into one room, and copied out of it at its true length: without that, Node allocates 64 KiB for each
 * read, however little comes, and shrinks it, which was 4 % of a node's main thread (docs/PERFORMANCE.md, "What was tried").
 */

import { createConnection } from 'node:net'
import type { Socket } from 'node:net'

type Take = (chunk: Buffer) => void

/** As much as Node would read at once. */
const ROOM_BYTES = 65_536

/** Of the sockets made here: who takes what comes, past the stream. */
const ways = new WeakMap<Socket, (take: Take) => void>()

/** Not connected yet. Its bytes come as those of any other socket, until `takeBytes`. */
export const openSocket = (hostname: string, port: number): Socket => {
  let past: Take | null = null
  // Of one socket, not of all: Windows writes into it while another is read.
  const room = Buffer.allocUnsafeSlow(ROOM_BYTES)
  const socket: Socket = createConnection({
    host: hostname, port, noDelay: true,
    onread: {
      buffer: room,
      callback: (bytes) => {
        const chunk = Buffer.allocUnsafe(bytes)
        room.copy(chunk, 0, 0, bytes)
        if (past === null) return socket.push(chunk)
        past(chunk)
        return true
      },
    },
  })
  ways.set(socket, (take) => { past = take })
  return socket
}

/**
 * From now on all that comes goes to `take`, and to nobody else who listens. Any socket will do, be it TLS over one of these. What the
 * stream still holds comes first: it flows with the end of this turn, before anything is read.
 */
export const takeBytes = (socket: Socket, take: Take): void => {
  socket.removeAllListeners('data').on('data', take)
  ways.get(socket)?.(take)
}
