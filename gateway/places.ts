/**
 * How many connections an HTTP server has at a time. One too many takes the place of the one that has waited longest for its client to say
 * something, and where all have asked, of the one that has waited longest for the rest of what it asks: so whoever comes and asks is
 * answered, however many come and say nothing, or announce a body and send none. Where every one is being answered it is closed itself.
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** `onFull`: a connection was closed for want of a place. */
export const limitPlaces = (server: Server, placesMax: number, onFull: () => void): void => {
  /** Requests of every open connection that are not answered yet. */
  const unanswered = new Map<Socket, number>()
  /** Those without any, the longest first. */
  const silent = new Set<Socket>()
  /** The newest request of the others, the oldest first. Whether its body is there changes without an event where nobody reads it. */
  const asking = new Map<Socket, IncomingMessage>()
  const settle = (socket: Socket, change: 1 | -1): void => {
    const before = unanswered.get(socket)
    if (before === undefined) return
    unanswered.set(socket, before + change)
    if (before + change > 0) silent.delete(socket)
    else {
      asking.delete(socket)
      silent.add(socket)
    }
  }
  const leave = (socket: Socket): void => {
    unanswered.delete(socket)
    silent.delete(socket)
    asking.delete(socket)
  }
  const unfinished = (): Socket | undefined => {
    for (const [socket, { complete }] of asking) if (!complete) return socket
    return undefined
  }
  server.on('connection', (socket: Socket) => {
    if (unanswered.size >= placesMax) {
      const [longest = unfinished() ?? socket] = silent
      leave(longest)
      longest.destroy()
      onFull()
      if (longest === socket) return
    }
    unanswered.set(socket, 0)
    silent.add(socket)
    socket.once('close', () => leave(socket))
  })
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    if (!unanswered.has(socket)) return
    settle(socket, 1)
    asking.delete(socket)
    asking.set(socket, request)
    response.once('close', () => settle(socket, -1))
  })
}
