/** The log target of Elasticsearch, at receivers that go, come back and refuse. With its thread: test/e2e/logTargets.test.ts. */

import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterEach, expect, test } from '@jest/globals'
import openElasticTarget from '../../observe/elasticTarget.ts'
import { until } from '../support/until.ts'
import type { AddressInfo } from 'node:net'
import type { Writable } from 'node:stream'

const TEST_MS_MAX = 120_000
const WITHIN_MS = 60_000

const cleanUps: (() => void)[] = []
afterEach(() => { for (const cleanUp of cleanUps.splice(0)) cleanUp() })

interface Answer {
  /** Of the whole request. */
  readonly status?: number
  /** Of the documents in it; 201 where it says nothing. */
  readonly of?: (message: string) => number
}

interface Document {
  readonly index: string
  readonly msg: string
  readonly time: string
}

interface Receiver {
  readonly port: number
  /** Documents that it said yes to. */
  readonly taken: readonly Document[]
  readonly requests: () => number
  readonly close: () => void
}

const receive = async (answer: (messages: readonly string[]) => Answer, port = 0): Promise<Receiver> => {
  const taken: Document[] = []
  let requests = 0
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => { body += chunk.toString() })
    request.on('end', () => {
      requests += 1
      const lines = body.trimEnd().split('\n').map((line) => JSON.parse(line) as object)
      const documents = lines.filter((_, i) => i % 2 === 1).map((document, i): Document => {
        const { index } = lines[2 * i] as { readonly index: { readonly _index: string } }
        return { ...document as Omit<Document, 'index'>, index: index._index }
      })
      const { status = 200, of = () => 201 } = answer(documents.map(({ msg }) => msg))
      const statuses = documents.map(({ msg }) => of(msg))
      if (status === 200) taken.push(...documents.filter((_, i) => statuses[i] === 201))
      const items = statuses.map((each) => ({ index: { status: each, ...(each === 201 ? {} : { error: { type: 'planted' } }) } }))
      const type = 'application/vnd.elasticsearch+json; compatible-with=8'
      response.writeHead(status, { 'content-type': type, 'x-elastic-product': 'Elasticsearch' })
      response.end(JSON.stringify({ errors: statuses.some((each) => each !== 201), items }))
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const close = (): void => { server.closeAllConnections(); server.close() }
  cleanUps.push(close)
  return { port: (server.address() as AddressInfo).port, taken, requests: () => requests, close }
}

interface Opened {
  readonly target: Writable
  readonly lost: () => number
}

const open = (port: number, index = 'shardkv'): Opened => {
  let lost = 0
  const target = openElasticTarget({ node: `http://127.0.0.1:${port}`, index }).on('lost', (lines: number) => { lost += lines })
  cleanUps.push(() => target.destroy())
  return { target, lost: () => lost }
}

const NOON = Date.UTC(2026, 0, 2, 12)
const lineOf = (msg: string): string => `${JSON.stringify({ level: 30, time: NOON, msg })}\n`
const messagesOf = ({ taken }: Receiver): readonly string[] => taken.map(({ msg }) => msg)

test('a receiver that goes and comes back gets every line, those of the time between too', async () => {
  const first = await receive(() => ({}))
  const { target, lost } = open(first.port)
  target.write(lineOf('before'))
  await until(() => messagesOf(first).includes('before'), 'a line has arrived', WITHIN_MS)
  first.close()

  const isTaken: string[] = []
  for (const msg of ['away', 'still away']) target.write(lineOf(msg), () => { isTaken.push(msg) })
  let attempts = 0
  const second = await receive(() => {
    attempts += 1
    return attempts === 1 ? { status: 503 } : {}
  }, first.port)
  target.write(lineOf('after'))
  await until(() => messagesOf(second).includes('after') && isTaken.length === 2, 'the last has arrived', WITHIN_MS)
  expect([messagesOf(second), isTaken]).toEqual([['away', 'still away', 'after'], ['away', 'still away']])
  expect([lost(), target.destroyed]).toEqual([0, false])
}, TEST_MS_MAX)

test('takes no more while nobody answers: what comes then waits before it', async () => {
  const { port, close } = await receive(() => ({}))
  close()
  const { target } = open(port)
  let taken = 0
  for (let i = 0; i < 100; i += 1) target.write(lineOf(`${i} ${'x'.repeat(1_000)}`), () => { taken += 1 })
  expect([taken, target.writableNeedDrain]).toEqual([0, true])
  const receiver = await receive(() => ({}), port)
  await until(() => receiver.taken.length === 100, 'all have arrived', WITHIN_MS)
  expect(messagesOf(receiver).map((msg) => Number(msg.split(' ')[0]))).toEqual(Array.from({ length: 100 }, (_, i) => i))
}, TEST_MS_MAX)

test('a line that is refused for good is lost and counted; one that came too fast is sent again', async () => {
  let isBusy = true
  const receiver = await receive(() => ({
    of: (msg) => {
      if (msg === 'busy' && isBusy) {
        isBusy = false
        return 429
      }
      return msg === 'odd' ? 400 : 201
    },
  }))
  const { target, lost } = open(receiver.port)
  target.write(`${lineOf('one')}${lineOf('odd')}no JSON\n${lineOf('busy')}${lineOf('two').slice(0, 7)}`)
  target.write(lineOf('two').slice(7))
  await until(() => receiver.taken.length === 3, 'all others have arrived', WITHIN_MS)
  expect([messagesOf(receiver), lost()]).toEqual([['one', 'busy', 'two'], 2])
}, TEST_MS_MAX)

test('what is too large for a request goes by halves, and a line that is too large alone is lost and counted', async () => {
  const receiver = await receive((messages) => (messages.length > 2 || messages.includes('large') ? { status: 413 } : {}))
  const { target, lost } = open(receiver.port)
  target.write(['one', 'two', 'large', 'three', 'four'].map(lineOf).join(''))
  await until(() => receiver.taken.length === 4, 'all others have arrived', WITHIN_MS)
  expect([messagesOf(receiver), lost()]).toEqual([['one', 'two', 'three', 'four'], 1])
}, TEST_MS_MAX)

test('a request has half a MiB at most', async () => {
  const receiver = await receive(() => ({}))
  const { target } = open(receiver.port)
  target.write(Array.from({ length: 24 }, (_, i) => lineOf(`${i} ${'x'.repeat(100_000)}`)).join(''))
  await until(() => receiver.taken.length === 24, 'all have arrived', WITHIN_MS)
  expect(receiver.requests()).toBe(5)
}, TEST_MS_MAX)

test('ends when the rest is taken, and closes; a line has its time as text, and the index of its day', async () => {
  const receiver = await receive(() => ({}))
  const { target } = open(receiver.port, 'shardkv-%{DATE}')
  target.end(lineOf('the last line'))
  await once(target, 'close')
  expect(receiver.taken).toEqual([{ index: 'shardkv-2026-01-02', level: 30, time: '2026-01-02T12:00:00.000Z', msg: 'the last line' }])
}, TEST_MS_MAX)
