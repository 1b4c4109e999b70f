/**
 * How many connections an HTTP server has at a time. One too many takes the place of the one that has waited longest for its client to say
 * something: so whoever comes and asks is answered, however many come and say nothing. Where every one is being answered it is closed
 * itself.
 */

import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** `onFull`: a connection was closed for want of a place. */
export const limitPlaces = (server: Server, placesMax: number, onFull: () => void): void => {
  /** Requests of every open connection that are not answered yet. */
  const unanswered = new Map<Socket, number>()
  /** Those without any, the longest first. */
  const silent = new Set<Socket>()
  const settle = (socket: Socket, change: 1 | -1): void => {
    const before = unanswered.get(socket)
    if (before === undefined) return
    unanswered.set(socket, before + change)
    if (before + change > 0) silent.delete(socket)
    else silent.add(socket)
  }
  const leave = (socket: Socket): void => {
    unanswered.delete(socket)
    silent.delete(socket)
  }
  server.on('connection', (socket: Socket) => {
    if (unanswered.size >= placesMax) {
      const [longest = socket] = silent
      leave(longest)
      longest.destroy()
      onFull()
      if (longest === socket) return
    }
    unanswered.set(socket, 0)
    silent.add(socket)
    socket.once('close', () => leave(socket))
  })
  server.prependListener('request', ({ socket }, response: ServerResponse) => {
    settle(socket, 1)
    response.once('close', () => settle(socket, -1))
  })
}
