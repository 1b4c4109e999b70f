/** The socket to a broker: what was read stays what it was, and comes in order, before and after somebody takes it past the stream. */

import { createServer } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { openSocket, takeBytes } from '../../bus/natsSocket.ts'
import { until } from '../support/until.ts'
import type { AddressInfo, Server, Socket } from 'node:net'

let server: Server | undefined
let socket: Socket | undefined
afterEach(() => {
  socket?.destroy()
  server?.close()
})

/** Both ends of a connection. */
const connected = async (): Promise<{ readonly socket: Socket; readonly broker: Socket }> => {
  let broker: Socket | undefined
  server = createServer((peer) => { broker = peer.on('error', () => {}) })
  await new Promise<void>((resolve) => { server?.listen(0, '127.0.0.1', resolve) })
  socket = openSocket('127.0.0.1', (server.address() as AddressInfo).port)
  await until(() => broker !== undefined && socket?.connecting === false, 'it is connected')
  return { socket, broker: broker as unknown as Socket }
}

const textOf = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString()

test('who listens as to any socket hears it; who takes the bytes is told instead, and nothing that was read is written over', async () => {
  const { socket, broker } = await connected()
  const heard: Buffer[] = []
  socket.on('data', (chunk: Buffer) => heard.push(chunk))
  broker.write('first')
  await until(() => textOf(heard) === 'first', 'the first is heard')
  const taken: Buffer[] = []
  takeBytes(socket, (chunk) => taken.push(chunk))
  for (const text of ['second', 'third ']) {
    const before = textOf(taken)
    broker.write(text)
    await until(() => textOf(taken) === before + text, `the ${text} is taken`)
  }
  expect([textOf(heard), socket.readableLength]).toEqual(['first', 0])
})

test('what the stream held before comes first', async () => {
  const { socket, broker } = await connected()
  broker.write('held ')
  await until(() => socket.readableLength > 0, 'the stream holds it')
  const taken: Buffer[] = []
  takeBytes(socket, (chunk) => taken.push(chunk))
  broker.write('next')
  await until(() => textOf(taken).length === 9, 'both are taken')
  expect(textOf(taken)).toBe('held next')
})

test.each([
  ['once its bytes are taken', takeBytes],
  ['by whoever listens', (socket: Socket, take: () => void) => socket.on('data', take)],
])('its end is heard, %s', async (_name, hear) => {
  const { socket, broker } = await connected()
  hear(socket, () => {})
  let isOver = false
  socket.on('end', () => { isOver = true })
  broker.end()
  broker.resume()
  await until(() => isOver, 'the end is heard')
  await until(() => socket.destroyed, 'it is closed')
})
