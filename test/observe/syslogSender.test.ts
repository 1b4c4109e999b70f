/**
 * The last stage of syslog over TCP, at receivers that do not read, go, and come back. With its thread and its lines:
 * test/e2e/logTargets.test.ts.
 */

import { once } from 'node:events'
import { createServer } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import openSyslogSender from '../../observe/syslogSender.ts'
import { until } from '../support/until.ts'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Writable } from 'node:stream'

const TEST_MS_MAX = 120_000
const WITHIN_MS = 60_000
/** More than the kernel holds for a receiver that does not read: some ten MiB. */
const LINES = 24
const LINE_CHARACTERS = 1_048_576
const TURNS = 300

const cleanUps: (() => void)[] = []
afterEach(() => { for (const cleanUp of cleanUps.splice(0)) cleanUp() })

interface Receiver {
  readonly server: Server
  /** One that does not read as long as nobody tells it to. */
  readonly connections: readonly Socket[]
  readonly sender: Writable
}

const open = async (): Promise<Receiver> => {
  const connections: Socket[] = []
  const server = createServer({ pauseOnConnect: true }, (socket) => { connections.push(socket.on('error', () => {})) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sender = openSyslogSender({ address: '127.0.0.1', port: (server.address() as AddressInfo).port })
  cleanUps.push(() => {
    sender.destroy()
    for (const socket of connections) socket.destroy()
    server.close()
  })
  return { server, connections, sender }
}

const lineOf = (i: number): string => `${i} ${'x'.repeat(LINE_CHARACTERS)}\n`

/** All of them at once; how many it has taken so far. */
const writeAll = (sender: Writable): (() => number) => {
  let taken = 0
  for (let i = 0; i < LINES; i += 1) sender.write(lineOf(i), () => { taken += 1 })
  return () => taken
}

const turns = async (): Promise<void> => { for (let i = 0; i < TURNS; i += 1) await turn() }

interface Reading {
  readonly bytes: () => number
  readonly text: () => string
}

const reading = (socket: Socket): Reading => {
  const chunks: Buffer[] = []
  let bytes = 0
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    bytes += chunk.length
  }).resume()
  return { bytes: () => bytes, text: () => Buffer.concat(chunks).toString() }
}

test('takes no more than the system does while its receiver does not read, and then everything in its order', async () => {
  const { connections, sender } = await open()
  const taken = writeAll(sender)
  await until(() => connections.length === 1 && taken() > 0, 'the first is on its way', WITHIN_MS)
  await turns()
  expect(taken()).toBeLessThan(LINES)

  const read = reading(must(connections[0], 'a connection'))
  const expected = Array.from({ length: LINES }, (_, i) => lineOf(i)).join('')
  await until(() => read.bytes() >= expected.length && taken() === LINES, 'everything has arrived', WITHIN_MS)
  expect(read.text() === expected).toBe(true)
}, TEST_MS_MAX)

test('what is on its way when the connection breaks goes over the next one, as whole lines', async () => {
  const { connections, sender } = await open()
  const taken = writeAll(sender)
  await until(() => connections.length === 1 && taken() > 0, 'the first is on its way', WITHIN_MS)
  await turns()
  const before = taken()
  must(connections[0], 'a connection').destroy()
  await until(() => connections.length === 2, 'there is another connection', WITHIN_MS)
  const read = reading(must(connections[1], 'another'))
  const expected = Array.from({ length: LINES - before }, (_, i) => lineOf(before + i)).join('')
  await until(() => read.bytes() >= expected.length && taken() === LINES, 'the rest has arrived', WITHIN_MS)
  expect(read.text() === expected).toBe(true)
}, TEST_MS_MAX)

test('ends when the rest is written, by a connection that ends with it', async () => {
  const { connections, sender } = await open()
  sender.end('the last line\n')
  await until(() => connections.length === 1, 'it is connected', WITHIN_MS)
  const socket = must(connections[0], 'a connection')
  const read = reading(socket)
  await once(socket, 'end')
  expect(read.text()).toBe('the last line\n')
}, TEST_MS_MAX)
