/** The broker routes: what nats-server makes of a request's subject, on a real server with the generated configuration. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { createRandom, between } from '../../actors/kernel/random.ts'
import { connectNats } from '../../bus/nats.ts'
import { mappingsBlock, serverConfig } from '../../bus/natsConfig.ts'
import { parseSubject, requestSubject } from '../../bus/subjects.ts'
import { shardOf } from '../../topology/hash.ts'
import { startNatsServer } from '../../chaos/ground/natsServer.ts'
import { until } from '../support/until.ts'
import { bytesOf, flushed } from './contract.ts'
import type { Bus } from '../../bus/port.ts'
import type { NatsServer } from '../../chaos/ground/natsServer.ts'

const SHARDS = 16
const KEYS = 1_000

/** Random bytes: every key, with and without a partition, of every length a subject can carry. */
const randomKeys = (seed: number): readonly string[] => {
  const random = createRandom(seed)
  const bytes = (length: number): string => String.fromCharCode(...Array.from({ length }, () => between(random, 0, 255)))
  const keys = new Set<string>()
  while (keys.size < KEYS) {
    const key = bytes(between(random, 1, between(random, 1, 300)))
    const partition = bytes(between(random, 1, 12))
    keys.add(keys.size % 3 === 0 ? `{${partition}}${key}` : key)
  }
  return [...keys].filter((key) => requestSubject('kv', 'get', key).ok)
}

describe('a broker with the generated mappings', () => {
  let server: NatsServer
  let client: Bus
  let node: Bus
  beforeAll(async () => {
    server = await startNatsServer((port) => serverConfig({ host: '127.0.0.1', port, prefix: 'kv', shardCount: SHARDS }))
    client = await connectNats({ servers: [server.url], name: 'client' })
    node = await connectNats({ servers: [server.url], name: 'node' })
  })
  afterAll(async () => {
    client.close()
    node.close()
    await server.stop()
  })

  const subjectsSeen = async (pattern: string): Promise<{ subjects: string[]; stop: () => void }> => {
    const subjects: string[] = []
    const { unsubscribe } = node.subscribe(pattern, ({ subject }) => subjects.push(subject))
    expect(await flushed(node)).toBeNull()
    return { subjects, stop: unsubscribe }
  }

  test('sends every key to the shard that shardOf names, spelt as the client spelt it', async () => {
    const keys = randomKeys(20_260_101)
    expect(keys.length).toBeGreaterThan(900)
    const seen = await subjectsSeen('kv.slot.>')
    for (const key of keys) {
      const built = requestSubject('kv', 'get', key)
      if (built.ok) client.publish(built.subject, bytesOf(''))
    }
    await until(() => seen.subjects.length === keys.length, 'every request has come')
    for (const [i, subject] of seen.subjects.entries()) {
      const parsed = parseSubject('kv', subject)
      expect(parsed).toMatchObject({ ok: true, kind: 'key', op: 'get', key: keys[i] })
      if (parsed.ok && parsed.kind === 'key') expect(shardOf(parsed.hashToken, SHARDS)).toBe(parsed.slot)
    }
    expect(new Set(seen.subjects.map((subject) => subject.split('.')[2])).size).toBe(SHARDS)
    seen.stop()
  })

  test('keeps headers, payload and reply subject', async () => {
    const service = node.subscribe(`kv.slot.${shardOf('user42', SHARDS)}.put.user42`, (message) => {
      node.publish(message.reply, message.data, message.headers === undefined ? {} : { headers: message.headers })
    })
    await flushed(node)
    const headers = new Map([['Kv-If-Revision', '0'], ['Kv-Request-Id', 'r-1']])
    const answer = await new Promise<unknown>((resolve) =>
      client.request('kv.put.user42', bytesOf('value'), { timeoutMs: 5_000, headers }, (failure, reply) =>
        resolve([failure, Buffer.from(reply?.data ?? []).toString(), [...(reply?.headers ?? [])]])))
    expect(answer).toEqual([null, 'value', [...headers]])
    service.unsubscribe()
  })

  test('does not map its own results again, nor batches, nor requests that span shards', async () => {
    const seen = await subjectsSeen('kv.>')
    const untouched = ['kv.map', 'kv.slot.3.get.user42', 'kv.slot.3.get.part.key', 'kv.to.n1.batch.v1']
    for (const subject of untouched) client.publish(subject, bytesOf(''))
    client.publish('kv.get.user42', bytesOf(''))
    await until(() => seen.subjects.length === 5, 'all have come')
    expect(seen.subjects).toEqual([...untouched, `kv.slot.${shardOf('user42', SHARDS)}.get.user42`])
    seen.stop()
  })

  test('lets nobody reach a slot by calling it an operation', async () => {
    const seen = await subjectsSeen('kv.slot.>')
    for (const subject of ['kv.slot.5', 'kv.slot.5.get', 'kv.to.n1', 'kv.to.n1.batch']) client.publish(subject, bytesOf(''))
    await until(() => seen.subjects.length === 4, 'all have come')
    for (const subject of seen.subjects) expect(parseSubject('kv', subject)).toMatchObject({ ok: false })
    seen.stop()
  })
})

describe('a broker without mappings', () => {
  test('leaves single keys to the gateway subjects', async () => {
    const server = await startNatsServer()
    const client = await connectNats({ servers: [server.url], name: 'client' })
    const node = await connectNats({ servers: [server.url], name: 'node' })
    const subjects: string[] = []
    for (const pattern of ['kv.*', 'kv.*.*', 'kv.*.*.*', 'kv.slot.>']) {
      node.subscribe(pattern, ({ subject }) => subjects.push(subject), { queue: 'gateway' })
    }
    await flushed(node)
    const sent = ['kv.map', 'kv.get.user42', 'kv.get.part.key']
    for (const subject of sent) client.publish(subject, bytesOf(''))
    await until(() => subjects.length === 3, 'all have come')
    expect(subjects).toEqual(sent)
    client.close()
    node.close()
    await server.stop()
  })
})

describe('the nats.conf of this repository', () => {
  test('holds the generated mapping for 16 shards, and a server starts with it', async () => {
    const text = readFileSync('nats.conf', 'utf8')
    expect(text.endsWith(mappingsBlock({ prefix: 'kv', shardCount: 16 }))).toBe(true)
    const generated = serverConfig({ host: '0.0.0.0', port: 4222, prefix: 'kv', shardCount: 16 })
    expect(text.slice(text.indexOf('listen'))).toBe(generated)
    const server = await startNatsServer((port) => text.replace('0.0.0.0:4222', `127.0.0.1:${port}`))
    await server.stop()
  })
})
