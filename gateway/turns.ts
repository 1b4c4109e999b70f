/**
 * One request of a connection at a time. A client may send several without waiting for answers (pipelining), and Node hands over all of
 * them at once, though only the first has the connection for its answer: when the connection ends, Node says so to this one alone. What
 * the others had opened meanwhile, such as a feed, would stay open as long as the process lives. So a request is looked at when its
 * answer can be sent, and never when its connection ends before.
 *
 * Clients that do this are rare, and none needs many: while an answer takes long, what waits behind it costs memory, so it has a limit.
 */

import type { RequestListener } from 'node:http'
import type { Socket } from 'node:net'

/** Requests of a connection behind the one that is answered. With more of them it is closed. */
export const PIPELINED_MAX = 16

export const inTurn = (listener: RequestListener): RequestListener => {
  const waiting = new WeakMap<Socket, number>()
  return (request, response) => {
    const { socket } = request
    if (response.socket !== null) {
      listener(request, response)
      return
    }
    const before = waiting.get(socket) ?? 0
    if (before >= PIPELINED_MAX) {
      socket.destroy()
      return
    }
    waiting.set(socket, before + 1)
    response.once('socket', () => {
      waiting.set(socket, (waiting.get(socket) ?? 1) - 1)
      // Node is in the middle of giving it the connection.
      queueMicrotask(() => { if (!socket.destroyed) listener(request, response) })
    })
  }
}
