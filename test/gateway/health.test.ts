/** What platforms ask a node, over its real port: whether it lives, and whether it is ready, under both names that they know for that. */

import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { serveHealth } from '../../gateway/health.ts'
import { PIPELINED_MAX } from '../../gateway/turns.ts'
import { until } from '../support/until.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { HealthOptions, Readiness } from '../../gateway/health.ts'

const closers: (() => void)[] = []
afterEach(() => { for (const close of closers.splice(0)) close() })

const serve = (readiness: Readiness, more: Partial<HealthOptions> = {}): Promise<string> => new Promise((resolve, reject) => {
  const { close } = serveHealth({ host: '127.0.0.1', port: 0, readiness: () => readiness, ...more }, (error, port) => {
    if (error === null) resolve(`http://127.0.0.1:${port}`)
    else reject(error)
  })
  closers.push(close)
})

const ready = { ready: true, waitingFor: [], warnings: [] }

const dial = async (base: string): Promise<Socket> => {
  const socket = connect(Number(new URL(base).port), '127.0.0.1')
  closers.push(() => { socket.destroy() })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Requests of one connection, all at once, and what comes back. */
const sendAll = async (base: string, paths: readonly string[]) => {
  const socket = await dial(base)
  const got = { text: '', isClosed: false }
  socket.on('data', (bytes) => { got.text += bytes.toString() })
  socket.on('close', () => { got.isClosed = true })
  socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`).join(''))
  return { socket, got }
}

/** A page whose answers are ended by hand. */
const heldPage = () => {
  const seen: string[] = []
  const held: ServerResponse[] = []
  const page = ({ url = '' }: IncomingMessage, response: ServerResponse): boolean => {
    if (!url.startsWith('/held')) return false
    seen.push(url)
    held.push(response)
    return true
  }
  return { seen, held, page }
}

test.each(['/readyz', '/healthz'])('%s is 200 with its warnings when the node is ready', async (path) => {
  const warned = { ...ready, warnings: ['shard 3 is suspect'] }
  const answer = await fetch(`${await serve(warned)}${path}`)
  expect([answer.status, await answer.json()]).toEqual([200, warned])
})

test.each(['/readyz', '/healthz'])('%s is 503 and says what is waited for when it is not', async (path) => {
  const waiting = { ready: false, waitingFor: ['the broker'], warnings: [] }
  const answer = await fetch(`${await serve(waiting)}${path}?verbose`)
  expect([answer.status, await answer.json()]).toEqual([503, waiting])
})

test('/livez is 200 also while the node is not ready; nothing else is there, and nothing is to be posted', async () => {
  const base = await serve({ ready: false, waitingFor: ['the broker'], warnings: [] })
  expect((await fetch(`${base}/livez`)).status).toBe(200)
  expect((await fetch(`${base}/healthy`)).status).toBe(404)
  expect((await fetch(`${base}/healthz`, { method: 'POST' })).status).toBe(405)
})

test('an answer that nobody reads any more is ended with its connection', async () => {
  const closed: string[] = []
  // More than the buffers of the machine take.
  const body = Buffer.alloc(64 * 1_024 * 1_024)
  const page = ({ url = '' }: IncomingMessage, response: ServerResponse): boolean => {
    response.once('close', () => { closed.push(url) })
    response.end(body)
    return true
  }
  const base = await serve(ready, { page, silenceMsMax: 5_000 })
  const stalled = await dial(base)
  stalled.pause()
  stalled.write('GET /stalled HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
  expect((await (await fetch(`${base}/read`)).arrayBuffer()).byteLength).toBe(body.length)
  await until(() => closed.length === 2, 'both answers have ended', 20_000)
  expect(closed.toSorted()).toEqual(['/read', '/stalled'])
})

test('there is a limit to the connections that are being answered, and place again when one has gone', async () => {
  const told: number[] = []
  const { seen, held, page } = heldPage()
  const base = await serve(ready, { page, connectionsMax: 2, onFull: (connections) => { told.push(connections) } })
  const first = await sendAll(base, ['/held/1'])
  const second = await sendAll(base, ['/held/2', '/livez'])
  await until(() => seen.length === 2, 'both are looked at')
  const third = await sendAll(base, ['/livez'])
  const fourth = await sendAll(base, ['/livez'])
  await until(() => third.got.isClosed && fourth.got.isClosed, 'the third and the fourth are closed')
  expect([third.got.text, fourth.got.text, told]).toEqual(['', '', [2]])
  const left = once(held[0] as ServerResponse, 'close')
  first.socket.destroy()
  await left
  const fifth = await sendAll(base, ['/livez'])
  await until(() => fifth.got.text.includes('200 OK'), 'the fifth is answered')
  held[1]?.end('two')
  await until(() => second.got.text.includes('"live":true'), 'the second is answered to the end')
})

test('whoever asks takes the place of the client that has said nothing for longest', async () => {
  const { page } = heldPage()
  const base = await serve(ready, { page, connectionsMax: 3 })
  const asked = await sendAll(base, ['/livez'])
  await until(() => asked.got.text.includes('200 OK'), 'the first is answered')
  const silent = await sendAll(base, [])
  const busy = await sendAll(base, ['/held/1'])
  // The first speaks again: it is not the one that is silent for longest any more.
  asked.socket.write('GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
  await until(() => asked.got.text.includes('"ready":true'), 'the first is answered again')
  const more = await sendAll(base, ['/livez'])
  await until(() => more.got.text.includes('200 OK') && silent.got.isClosed, 'one is answered, and the silent one is closed')
  expect([asked.got.isClosed, busy.got.isClosed]).toEqual([false, false])
})

test('where all have asked, whoever comes takes the place of the request whose body has not come for longest', async () => {
  const { seen, page } = heldPage()
  const base = await serve(ready, { page, connectionsMax: 3 })
  const announce = async (path: string): Promise<Awaited<ReturnType<typeof sendAll>>> => {
    const client = await sendAll(base, [])
    client.socket.write(`POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 4\r\n\r\n`)
    await until(() => seen.includes(path), `${path} is looked at`)
    return client
  }
  const whole = await announce('/held/1')
  whole.socket.write('body')
  const first = await announce('/held/2')
  const second = await announce('/held/3')
  const third = await sendAll(base, ['/livez'])
  await until(() => third.got.text.includes('200 OK') && first.got.isClosed, 'one is answered in the place of another')
  expect([whole.got.isClosed, second.got.isClosed]).toEqual([false, false])
})

test('a client that never ends its request is closed within seconds', async () => {
  const { got, socket } = await sendAll(await serve(ready), [])
  socket.write('GET /livez HTTP/1.1\r\nhost:')
  await until(() => got.isClosed, 'it is closed', 20_000)
  expect(got.text).toContain('408')
})

test('of requests that one connection sends at once each is looked at when its answer can be sent, in turn', async () => {
  const { seen, held, page } = heldPage()
  const { got } = await sendAll(await serve(ready, { page }), ['/held/1', '/livez', '/held/2', '/readyz'])
  await until(() => seen.length > 0, 'the first is looked at')
  expect(seen).toEqual(['/held/1'])
  held[0]?.end('one')
  await until(() => seen.length > 1, 'the second that is held is looked at')
  held[1]?.end('two')
  await until(() => got.text.includes('"ready":true'), 'the last is answered')
  expect([...got.text.matchAll(/one|two|"live":true|"ready":true/g)].map(([word]) => word))
    .toEqual(['one', '"live":true', 'two', '"ready":true'])
})

test('of requests that wait when their connection ends none is looked at', async () => {
  const { seen, held, page } = heldPage()
  const { socket } = await sendAll(await serve(ready, { page }), ['/held/1', '/held/2'])
  await until(() => seen.length > 0, 'the first is looked at')
  const closed = once(held[0] as ServerResponse, 'close')
  socket.destroy()
  await closed
  expect(seen).toEqual(['/held/1'])
})

test('a connection that sends more and more behind an answer that takes long is closed', async () => {
  const { seen, page } = heldPage()
  const { got } = await sendAll(await serve(ready, { page }), Array.from({ length: PIPELINED_MAX + 1 }, (_, i) => `/held/${i}`))
  await until(() => seen.length > 0, 'the first is looked at')
  const base = await serve(ready, { page })
  const { got: more } = await sendAll(base, Array.from({ length: PIPELINED_MAX + 2 }, (_, i) => `/held/${i}`))
  await until(() => more.isClosed, 'the connection is closed')
  expect(got.isClosed).toBe(false)
  expect(seen).toEqual(['/held/0', '/held/0'])
})
