/** A fourth node comes, carries its share, and is sent away again, by the command line over the admin API of real nodes. */

import { request as httpRequest } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { freePort } from '../../bench/targets/freePorts.ts'
import { portOf } from '../support/adminPort.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import type { EventsAnswer, NodesAnswer, PlanAnswer } from '../../gateway/admin/views.ts'

const TOKEN = 'a-token-for-this-test'
const DEADLINE_MS = 40_000
const POLL_MS = 100

const cluster = clusterOfTest()

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: Record<string, unknown>
}

interface Ask {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

const ask = (port: number, path: string, { method = 'GET', headers = {}, body = '' }: Ask = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const length = body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const request = httpRequest({ host: '127.0.0.1', port, path, method, headers: { ...length, ...headers } }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => { text += chunk.toString() })
      response.on('end', () => resolve({
        status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body: JSON.parse(text) as Answer['body'],
      }))
    })
    request.on('error', reject)
    request.end(body)
  })

const wait = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
  const deadline = performance.now() + DEADLINE_MS
  while (!await holds()) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`)
    await pause(POLL_MS)
  }
}

describe('a fourth node', () => {
  test('joins, is seen to carry its share, and is drained; what can not be is refused', async () => {
    const { running } = await cluster.open({ nodes: 3, shards: 8 })
    const [first, second] = running.members.map((node) => portOf(running, node)) as [number, number]
    const shardkv = (...args: string[]) => running.cli(...args, '--admin', `http://127.0.0.1:${first},http://127.0.0.1:${second}`).ended
    const nodes = async () => (await ask(second, '/v1/nodes')).body as unknown as NodesAnswer
    const plan = async () => (await ask(first, '/v1/plan')).body as unknown as PlanAnswer
    expect(await shardkv('member', 'drain', 'n3')).toMatchObject({ code: 1, err: expect.stringContaining('tooFewNodes') })

    const joinPort = await freePort()
    const joined = running.cli(
      'node', '--join', '--id', 'n4', '--dir', join(running.root, 'n4'), '--http-port', String(joinPort), '--admin-token', TOKEN,
    )
    await wait('n4 carries its share', async () => {
      const { moves, underWay, preferences } = await plan()
      const own = (await nodes()).nodes.find(({ id }) => id === 'n4')
      return moves.length + underWay + preferences.length === 0 && (own?.replicas ?? 0) >= 5
    })
    expect(await shardkv('plan', '-w', 'raw')).toEqual({ code: 0, out: '\n', err: '' })
    const addresses = (await nodes()).nodes.map((node) => [node.id, node.addresses?.http, node.addresses?.hasAdmin])
    expect(addresses).toEqual([...running.members.map((id) => [id, `http://127.0.0.1:${portOf(running, id)}`, true]),
      ['n4', `http://127.0.0.1:${joinPort}`, true]])

    const json = { 'content-type': 'application/json' }
    const refusals: readonly (readonly [number, string, Ask, number, string])[] = [
      [first, '/v1/nodes/n9/drain', { method: 'POST' }, 404, 'unknownNode'],
      [second, '/v1/nodes/n1', { method: 'PATCH', headers: json, body: '{"weight":0}' }, 422, 'weightOutOfRange'],
      [first, '/v1/plan/pause', { method: 'POST', headers: { 'if-match': '"1"' } }, 412, 'staleEpoch'],
      [first, '/v1/cluster', { headers: { host: 'evil.example' } }, 403, 'foreignHost'],
      [first, '/v1/plan/pause', { method: 'POST', headers: { origin: 'http://evil.example' } }, 403, 'foreignOrigin'],
      [first, '/v1/cluster', { method: 'PATCH', headers: json, body: `"${'x'.repeat(100_000)}"` }, 413, 'tooLarge'],
      [joinPort, '/v1/cluster', {}, 401, 'unauthorised'],
      [joinPort, '/v1/cluster', { headers: { authorization: `Bearer ${TOKEN}x` } }, 401, 'unauthorised'],
    ]
    const epoch = (await plan()).epoch
    for (const [port, path, how, status, reason] of refusals) {
      expect([path, await ask(port, path, how)]).toMatchObject([path, { status, type: 'application/problem+json', body: { reason } }])
    }
    expect((await plan()).epoch).toBe(epoch)
    expect((await ask(joinPort, '/v1/cluster', { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(200)
    expect((await ask(joinPort, '/livez')).body).toEqual({ live: true })

    const drained = await shardkv('member', 'drain', 'n4', '--wait')
    expect(drained).toMatchObject({ code: 0, err: expect.stringMatching(/replicas left[^]*n4 has left\n$/) })
    const { code, out } = await joined.ended
    expect(code).toBe(0)
    expect(out).not.toContain(TOKEN)
    expect((await nodes()).nodes.map(({ id, state, replicas }) => [id, state, replicas])).toEqual([
      ['n1', 'active', 8], ['n2', 'active', 8], ['n3', 'active', 8], ['n4', 'left', 0],
    ])
    const { events } = JSON.parse((await shardkv('events', '--limit', '100', '-w', 'json')).out) as EventsAnswer
    const told = events.toReversed().map(({ what }) => what)
    const count = (pattern: RegExp): number => told.filter((what) => pattern.test(what)).length
    expect(told.filter((what) => !/^move|^the order of preference/.test(what))).toEqual([
      'the cluster is created', 'node n4 joins with weight 1', 'node n4 drains', 'node n4 leaves',
    ])
    expect(count(/^move \d+ begins/)).toBeGreaterThanOrEqual(10)
    expect(count(/^move \d+ is (?:done|undone)/)).toBe(count(/^move \d+ begins/))
  }, 120_000)
})
