/** The admin API over a cluster that is one state in memory: what it takes, what it refuses, and in which words. */

import { describe, expect, test } from '@jest/globals'
import { adoptGenesis } from '../../../actors/topology/clusterState.ts'
import { apply } from '../../../actors/topology/apply.ts'
import { defaultPlanLimits } from '../../../actors/topology/plan.ts'
import { must } from '../../../actors/kernel/assert.ts'
import { createAdminApp } from '../../../gateway/admin/app.ts'
import { createGuard, isLoopback } from '../../../gateway/admin/guard.ts'
import { createAdminListener } from '../../../gateway/admin/listener.ts'
import { createLogLevels } from '../../../observe/logLevels.ts'
import { readingOf } from '../../../topology/adminViews.ts'
import { createGenesis } from '../../../topology/clusterMap.ts'
import { clusterId, nodeId, nodeOf } from '../../../topology/ids.ts'
import type { MetaCommand } from '../../../actors/topology/protocol.ts'
import type { EventsAnswer } from '../../../gateway/admin/views.ts'
import type { Reading } from '../../../topology/adminViews.ts'
import type { ClusterAdmin } from '../../../topology/clusterAdmin.ts'

const members = ['n1', 'n2', 'n3', 'n4'].map(nodeId)
const genesis = must(createGenesis({
  cluster: clusterId('0123456789abcdef'), members, shardCount: 8, replicationFactor: 3, createdAtMs: 1,
})[0], 'a genesis')
const TOKEN = 'a-token-of-this-test'
const JSON_BODY = { 'content-type': 'application/json' }

const open = (token: string | null = null) => {
  const world = {
    state: adoptGenesis(genesis), asked: [] as object[], commands: [] as MetaCommand[], isDown: false, isThere: true,
    failures: [] as unknown[], isHolding: false, held: [] as (() => void)[],
  }
  const reading = (): Reading => readingOf({
    state: world.state, isLinearizable: !world.isDown, lost: [], progress: [], limits: defaultPlanLimits, leaderOf: () => nodeId('n1'),
    loads: { moves: [], shards: [] },
    node: { id: 'n1', prefix: 'kv', tickMs: 100, lostAfterMs: 30_000, moveBytesPerSecond: 1_024 },
  })
  const admin: ClusterAdmin = {
    read: (done) => {
      if (world.isHolding) world.held.push(() => { done(reading()) })
      else done(reading())
    },
    events: ({ before, limit }, done) => done(world.isDown ? null : {
      epoch: world.state.epoch,
      events: world.state.history.toReversed().filter(({ epoch }) => before === 0 || epoch < before).slice(0, limit),
      oldest: world.state.history[0]?.epoch ?? 0,
    }),
    change: (asked, done) => {
      const { wish, expectedEpoch, by, request } = asked
      world.asked.push({ ...asked.wish, isForced: asked.isForced, expectedEpoch, by, request })
      const command = { ...wish, expectedEpoch: expectedEpoch ?? world.state.epoch, at: 7, by, request } as MetaCommand
      world.commands.push(command)
      if (world.isDown) {
        done(null)
        return
      }
      const { state, outcome } = apply(world.state, command)
      world.state = state
      if (asked.isForced === true && outcome.kind === 'applied') done(outcome, 'what it takes away')
      else done(outcome)
    },
    transfer: ({ shard }, terms, done) => {
      world.asked.push(terms)
      done(shard === 1 ? { kind: 'leads' } : { kind: 'givenUp', message: 'why' })
    },
  }
  let requests = 0
  const newRequestId = (): string => {
    requests += 1
    return `fresh-${requests}`
  }
  const app = createAdminApp({
    admin: () => (world.isThere ? admin : null), observation: () => null, token, version: '1', logLevels: createLogLevels('info'),
    newRequestId, onFailure: (error) => world.failures.push(error),
  })
  const ask = async (method: string, path: string, { headers = {}, body }: { headers?: Record<string, string>; body?: string } = {}) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const answer = await app.fetch(new Request(`http://127.0.0.1:8481${path}`, {
      method, headers: { host: '127.0.0.1:8481', ...length, ...headers }, ...(body === undefined ? {} : { body }),
    }))
    const text = await answer.text()
    const { status, headers: given } = answer
    const [type, retryAfter] = [given.get('content-type'), given.get('retry-after')]
    return { status, type, retryAfter, body: JSON.parse(text) as Record<string, unknown> }
  }
  const change = (method: string, path: string, value?: object, headers: Record<string, string> = {}) =>
    ask(method, path, value === undefined ? { headers } : { headers: { ...JSON_BODY, ...headers }, body: JSON.stringify(value) })
  return { world, ask, change }
}

describe('a question', () => {
  test.each([
    ['/v1/cluster', { cluster: '0123456789abcdef', shardCount: 8, replicationFactor: 3 }],
    ['/v1/nodes', { nodes: expect.arrayContaining([expect.objectContaining({ id: 'n3', state: 'active' })]) }],
    ['/v1/nodes/n2', { node: expect.objectContaining({ id: 'n2' }), moves: [] }],
    ['/v1/shards', { shards: expect.arrayContaining([expect.objectContaining({ shard: 7, leader: 'n1' })]) }],
    ['/v1/shards/7', { shard: expect.objectContaining({ shard: 7 }) }],
    ['/v1/moves', { moves: [] }],
    ['/v1/plan', { moves: expect.any(Array), blocked: [], isPaused: false }],
    ['/v1/ring', { meta: ['n1', 'n2', 'n3'] }],
    ['/v1/settings', { node: expect.objectContaining({ prefix: 'kv' }) }],
    ['/v1/events?limit=1', {
      events: [{ epoch: 1, at: 1, by: 'genesis', what: 'the cluster is created', move: null }], older: null, oldest: 1,
    }],
  ])('%s is answered with its epoch and how sure it is', async (path, expected) => {
    const { status, type, body } = await open().ask('GET', path)
    expect([status, type]).toEqual([200, expect.stringMatching(/^application\/json/)])
    expect(body).toMatchObject({ epoch: 1, consistency: 'linearizable', ...expected })
  })

  test('about events is told which are forgotten, and of no older ones that are not there', async () => {
    const { world, ask } = open()
    const event = (epoch: number) => ({ epoch, at: epoch, by: 'ada', what: `event ${epoch}`, request: '', move: 0 })
    world.state = { ...world.state, epoch: 7, history: [5, 6, 7].map(event) }
    const page = async (query: string) => {
      const { events, older, oldest } = (await ask('GET', `/v1/events?${query}`)).body as EventsAnswer
      return [events.map(({ epoch }) => epoch), older, oldest]
    }
    expect(await page('limit=2')).toEqual([[7, 6], 6, 5])
    expect(await page('limit=2&before=6')).toEqual([[5], null, 5])
    expect(await page('limit=1&before=6')).toEqual([[5], null, 5])
    expect(await page('limit=2&before=3')).toEqual([[], null, 5])
  })

  test('is answered from the own map when no leader can be reached, but for the history, which nobody else has', async () => {
    const { world, ask } = open()
    world.isDown = true
    expect((await ask('GET', '/v1/nodes')).body).toMatchObject({ consistency: 'local' })
    expect(await ask('GET', '/v1/events')).toMatchObject({ status: 503, body: { reason: 'undecided' }, retryAfter: '2' })
  })

  test('above the 64 that may wait is refused with how long to wait, until one of them has its answer', async () => {
    const { world, ask } = open()
    world.isHolding = true
    const waiting = Array.from({ length: 64 }, () => ask('GET', '/v1/cluster'))
    expect(await ask('GET', '/v1/cluster')).toMatchObject({ status: 503, body: { reason: 'overloaded' }, retryAfter: '1' })
    for (const answer of world.held) answer()
    expect((await Promise.all(waiting)).map(({ status, retryAfter }) => [status, retryAfter])).toEqual(waiting.map(() => [200, null]))
    world.isHolding = false
    expect(await ask('GET', '/v1/cluster')).toMatchObject({ status: 200 })
  })

  test('about a drain that has not been asked for shows what it would move, or why it would be refused', async () => {
    const { ask } = open()
    expect((await ask('GET', '/v1/plan?drain=n4')).body['moves']).not.toEqual([])
    expect(await ask('GET', '/v1/plan?drain=n9')).toMatchObject({ status: 404, body: { reason: 'unknownNode' } })
  })
})

test('the levels of the log are read and set, while the node starts too, and a name that is no actor is refused', async () => {
  const { world, ask, change } = open()
  world.isThere = false
  expect((await ask('GET', '/v1/log')).body).toEqual({ level: 'info', actors: {} })
  expect((await change('PATCH', '/v1/log', { actor: 'raft', level: 'debug' })).body).toEqual({ level: 'info', actors: { raft: 'debug' } })
  expect((await change('PATCH', '/v1/log', { level: 'warn' })).body).toEqual({ level: 'warn', actors: {} })
  for (const wrong of [{ actor: 'rafts', level: 'debug' }, { actor: 'raft', level: 'loud' }, { actor: 'raft' }]) {
    expect(await change('PATCH', '/v1/log', wrong)).toMatchObject({ status: 400, body: { reason: 'malformed' } })
  }
})

describe('a change', () => {
  test.each<readonly [string, string, object | undefined, object]>([
    ['PATCH', '/v1/cluster', { replicationFactor: 1 }, { kind: 'setReplicationFactor', replicationFactor: 1 }],
    ['POST', '/v1/nodes/n2/drain', undefined, { kind: 'drainNode', node: 'n2', isForced: false }],
    ['POST', '/v1/nodes/n2/drain?force=true', undefined, { kind: 'drainNode', node: 'n2', isForced: true }],
    ['POST', '/v1/nodes/n2/activate', undefined, { kind: 'activateNode', node: 'n2' }],
    ['PATCH', '/v1/nodes/n2', { weight: 3 }, { kind: 'setWeight', node: 'n2', weight: 3 }],
    ['PATCH', '/v1/nodes/n2?force=true', { zone: 'r1' }, { kind: 'setZone', node: 'n2', zone: 'r1', isForced: true }],
    ['PATCH', '/v1/cluster?force=true', { replicationFactor: 1 },
      { kind: 'setReplicationFactor', replicationFactor: 1, isForced: true }],
    ['PATCH', '/v1/nodes/n2', { zone: 'r1' }, { kind: 'setZone', node: 'n2', zone: 'r1' }],
    ['POST', '/v1/plan/pause', undefined, { kind: 'pause' }],
    ['POST', '/v1/plan/resume', undefined, { kind: 'resume' }],
    ['POST', '/v1/plan/apply', undefined, { kind: 'resume' }],
  ])('%s %s is one command to the meta group', async (method, path, body, expected) => {
    const { world, change } = open()
    const { status } = await change(method, path, body, { 'shardkv-by': 'ada', 'idempotency-key': 'k1', 'if-match': '"1"' })
    expect(status).toBe(200)
    expect(world.asked).toEqual([{ isForced: false, ...expected, expectedEpoch: 1, by: 'ada', request: expect.stringMatching(/^key:/) }])
  })

  test('that is repeated with its key is the same request; another change with this key is another', async () => {
    const { world, change } = open()
    const key = { 'idempotency-key': 'deploy-42' }
    const drained = await change('POST', '/v1/nodes/n4/drain', undefined, key)
    expect(await change('POST', '/v1/nodes/n4/drain', undefined, { ...key, 'if-match': '"1"' })).toEqual(drained)
    expect((await change('POST', '/v1/plan/pause', undefined, key)).body).toEqual({ outcome: 'applied', epoch: 3, move: null, cost: null })
    await change('POST', '/v1/nodes/n1/drain', undefined, key)
    const [first, second, ...others] = world.commands.map(({ request }) => request)
    expect(second).toBe(first)
    expect(new Set([first, ...others]).size).toBe(3)
  })

  test('that is repeated by force, with its key, is the same request, whether it took effect before or not', async () => {
    const { world, change } = open()
    const ask = (path: string, key: string) => change('POST', path, undefined, { 'idempotency-key': key })
    const done = { outcome: 'applied', epoch: 2 }
    expect((await ask('/v1/nodes/n4/drain', 'deploy-42')).body).toMatchObject(done)
    expect((await ask('/v1/nodes/n4/drain?force=true', 'deploy-42')).body).toMatchObject(done)
    expect(await ask('/v1/nodes/n3/drain', 'deploy-43')).toMatchObject({ status: 409, body: { reason: 'tooFewNodes' } })
    expect((await ask('/v1/nodes/n3/drain?force=true', 'deploy-43')).body).toMatchObject({ outcome: 'applied', epoch: 3 })
    expect(await ask('/v1/nodes/n3/drain', 'deploy-43')).toMatchObject({ status: 200, body: { outcome: 'applied', epoch: 3 } })
    const requests = world.commands.map(({ request }) => request)
    expect(requests).toEqual([requests[0], requests[0], requests[2], requests[2], requests[2]])
    expect(world.commands.map((command) => 'isForced' in command && command.isForced)).toEqual([false, true, false, true, false])
  })

  test('of a move, and back, while the cluster is paused', async () => {
    const { world, change } = open()
    await change('POST', '/v1/plan/pause')
    const [from = ''] = world.state.shards[0]?.replicas ?? []
    const taken = world.state.shards[0]?.replicas.map(nodeOf) ?? []
    const to = must(members.find((node) => !taken.includes(node)), 'one without')
    expect((await change('POST', '/v1/moves', { group: 0, add: to, remove: from })).body).toEqual(
      { outcome: 'applied', epoch: 3, move: 1, cost: null })
    expect((await change('POST', '/v1/moves/1/cancel')).body).toEqual({ outcome: 'applied', epoch: 4, move: 1, cost: null })
    expect((await change('POST', '/v1/moves/1/cancel')).body).toEqual({ outcome: 'unchanged', epoch: 4, move: null, cost: null })
  })

  test('that is forced is answered with what it costs', async () => {
    const { change } = open()
    const answer = { outcome: 'applied', epoch: 2, move: null, cost: 'what it takes away' }
    expect((await change('POST', '/v1/nodes/n4/drain?force=true')).body).toEqual(answer)
  })

  test('of a leadership is for the epoch that If-Match names', async () => {
    const { world, change } = open()
    await change('POST', '/v1/shards/1/transfer', { to: 'n2' }, { 'if-match': '"7"' })
    await change('POST', '/v1/shards/1/transfer', { to: 'n2' })
    expect(world.asked).toMatchObject([{ expectedEpoch: 7 }, { expectedEpoch: null }])
  })

  test('of a leadership waits until it is so, or says why not', async () => {
    const { change } = open()
    expect(await change('POST', '/v1/shards/1/transfer', { to: 'n2' })).toMatchObject({ status: 200, body: { shard: 1, leader: 'n2' } })
    const givenUp = { status: 504, body: { reason: 'givenUp', detail: 'why' }, retryAfter: null }
    expect(await change('POST', '/v1/shards/2/transfer', { to: 'n2' })).toMatchObject(givenUp)
  })

  test('that nobody decided says that it may yet take effect', async () => {
    const { world, change } = open()
    world.isDown = true
    expect(await change('POST', '/v1/plan/pause')).toMatchObject({ status: 503, body: { reason: 'undecided' }, retryAfter: '2' })
    world.isThere = false
    expect(await change('POST', '/v1/plan/pause')).toMatchObject({ status: 503, body: { reason: 'starting' }, retryAfter: '2' })
  })
})

describe('what is wrong is a problem of its own', () => {
  test.each<readonly [string, string, object | undefined, number, string, string]>([
    ['PATCH', '/v1/nodes/n9', { weight: 2 }, 404, 'unknownNode', 'there are n1, n2'],
    ['PATCH', '/v1/nodes/n1', { weight: 0 }, 422, 'weightOutOfRange', '1 to 64'],
    ['PATCH', '/v1/nodes/n1', { zone: 'Not A Zone' }, 422, 'zoneInvalid', 'empty for none'],
    ['PATCH', '/v1/nodes/n1', { weight: 1.5 }, 400, 'malformed', 'weight'],
    ['PATCH', '/v1/nodes/n1', { weight: 2, zone: 'r' }, 400, 'malformed', 'one at a time'],
    ['PATCH', '/v1/nodes/n1', { wight: 2 }, 400, 'malformed', 'wight'],
    ['PATCH', '/v1/nodes/N1', { weight: 2 }, 400, 'malformed', 'starting with a letter'],
    ['PATCH', '/v1/cluster', { replicationFactor: 4 }, 422, 'replicationFactorInvalid', '1, 3, 5'],
    ['PATCH', '/v1/cluster', { replicationFactor: 5 }, 409, 'tooFewNodes', 'add 1'],
    ['DELETE', '/v1/nodes/n1', undefined, 409, 'nodeCarriesReplicas', 'drain it first'],
    ['POST', '/v1/moves', { group: 0, add: 'n1' }, 409, 'notPaused', 'pause the cluster first'],
    ['POST', '/v1/moves', { group: 'x' }, 400, 'malformed', 'group'],
    ['POST', '/v1/moves/7/cancel', undefined, 404, 'moveUnknown', 'there are none'],
    ['POST', '/v1/shards/1/transfer', {}, 400, 'malformed', 'to'],
    ['GET', '/v1/shards/8', undefined, 404, 'unknownGroup', '0 to 7'],
    ['GET', '/v1/shards/-1', undefined, 400, 'malformed', 'shard'],
    ['POST', '/v1/shards/%20/transfer', { to: 'n2' }, 400, 'malformed', 'shard: a whole number in decimal digits'],
    ['POST', '/v1/shards/1%20/transfer', { to: 'n2' }, 400, 'malformed', 'shard'],
    ['POST', '/v1/shards/0x1/transfer', { to: 'n2' }, 400, 'malformed', 'shard'],
    ['POST', '/v1/moves/%09/cancel', undefined, 400, 'malformed', 'id'],
    ['GET', '/v1/shards/07', undefined, 400, 'malformed', 'shard'],
    ['GET', '/v1/shards/7e0', undefined, 400, 'malformed', 'shard'],
    ['GET', '/v1/shards/9007199254740993', undefined, 400, 'malformed', 'shard'],
    ['GET', '/v1/plan?dran=n2', undefined, 400, 'malformed', 'query: Unrecognized key: "dran"'],
    ['GET', '/v1/cluster?x=1', undefined, 400, 'malformed', 'query: Unrecognized key: "x"'],
    ['GET', '/v1/events?foo=1', undefined, 400, 'malformed', 'foo'],
    ['GET', '/v1/log?x=1', undefined, 400, 'malformed', 'x'],
    ['GET', '/v1/requests?limt=1', undefined, 400, 'malformed', 'limt'],
    ['DELETE', '/v1/nodes/n1?forced=true', undefined, 400, 'malformed', 'forced'],
    ['POST', '/v1/plan/pause?x=1', undefined, 400, 'malformed', 'x'],
    ['GET', '/v1/events?before=', undefined, 400, 'malformed', 'before'],
    ['GET', '/v1/events?before=0', undefined, 400, 'malformed', 'before'],
    ['GET', '/v1/events?before=3&before=4', undefined, 400, 'malformed', 'before'],
    ['GET', '/v1/events?limit=', undefined, 400, 'malformed', 'limit'],
    ['GET', '/v1/events?limit=%2B5', undefined, 400, 'malformed', 'limit'],
    ['GET', '/v1/events?limit=101', undefined, 400, 'malformed', 'limit'],
    ['POST', '/v1/nodes/n2/drain?force', undefined, 400, 'malformed', 'force'],
    ['POST', '/v1/nodes/n2/drain?force=%20true', undefined, 400, 'malformed', 'force'],
    ['GET', '/v1/events?limit=0', undefined, 400, 'malformed', 'limit'],
    ['GET', '/v1/nothing', undefined, 404, 'noSuchPath', '/openapi.json'],
  ])('%s %s %j', async (method, path, body, status, reason, words) => {
    const { world, change } = open()
    const answer = await change(method, path, body)
    const type = `urn:shardkv:problem:${reason}`
    expect(answer).toMatchObject({ status, type: 'application/problem+json', body: { status, reason, type } })
    expect(answer.body['detail']).toContain(words)
    expect(world.state.epoch).toBe(1)
    expect(world.failures).toEqual([])
  })

  test('an epoch that has passed, a body that is none, is too large, has no length or is of another kind', async () => {
    const { change, ask } = open()
    const pauseIf = (epoch: string) => change('POST', '/v1/plan/pause', undefined, { 'if-match': epoch })
    expect(await pauseIf('9')).toMatchObject({ status: 412, body: { reason: 'staleEpoch', epoch: 1 } })
    for (const tag of ['W/"x"', '01', '"1', '1"', '""', '-1', '1 2']) expect(await pauseIf(tag)).toMatchObject({ status: 400 })
    const patch = (headers: Record<string, string>, body: string) => ask('PATCH', '/v1/cluster', { headers, body })
    expect(await patch(JSON_BODY, '{')).toMatchObject({ status: 400, body: { reason: 'malformed' } })
    expect(await patch(JSON_BODY, `"${'x'.repeat(5_000)}"`)).toMatchObject({ status: 413, body: { reason: 'tooLarge' } })
    const chunked = await patch({ ...JSON_BODY, 'transfer-encoding': 'chunked' }, '{}')
    expect(chunked).toMatchObject({ status: 411, body: { reason: 'lengthRequired' } })
    expect(await patch({ 'content-type': 'text/plain' }, '{}')).toMatchObject({ status: 415, body: { reason: 'unsupportedMediaType' } })
  })
})

describe('strangers', () => {
  test('are asked for the token, on every path, and learn nothing without it', async () => {
    const { ask } = open(TOKEN)
    for (const authorization of ['', 'Bearer', `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, `Basic ${TOKEN}`]) {
      for (const path of ['/v1/cluster', '/openapi.json', '/nothing']) {
        const answer = await ask('GET', path, { headers: { authorization } })
        expect(answer).toMatchObject({ status: 401, body: { reason: 'unauthorised' } })
        expect(JSON.stringify(answer)).not.toContain(TOKEN)
      }
    }
    expect((await ask('GET', '/v1/cluster', { headers: { authorization: `Bearer ${TOKEN}`, host: 'node.example' } })).status).toBe(200)
  })

  test.each([
    [{ host: 'evil.example' }, 'foreignHost'], [{ host: '127.0.0.1.evil.example' }, 'foreignHost'], [{ host: '' }, 'foreignHost'],
    [{ origin: 'http://evil.example' }, 'foreignOrigin'], [{ origin: 'null' }, 'foreignOrigin'],
    [{ origin: 'http://127.0.0.1:9999' }, 'foreignOrigin'], [{ 'sec-fetch-site': 'cross-site' }, 'foreignOrigin'],
  ])('with %j are kept out', async (headers, reason) => {
    const { world, ask } = open()
    expect(await ask('POST', '/v1/plan/pause', { headers })).toMatchObject({ status: 403, body: { reason } })
    expect(world.commands).toEqual([])
  })

  test.each(['127.0.0.1:8481', 'localhost', 'LOCALHOST:1', '[::1]:8481', '127.8.9.1'])('from this machine, as %s, are none', (host) => {
    expect(createGuard(null)({ header: (name) => (name === 'host' ? host : undefined) })).toBeNull()
  })

  test('find health alone where the port is open to them and no token is set', () => {
    const options = {
      admin: () => null, observation: () => null, version: '1', logLevels: createLogLevels('info'), newRequestId: () => '',
      onFailure: () => {},
    }
    const listen = (host: string, token: string | null) => createAdminListener({ ...options, host, token })
    expect(listen('0.0.0.0', null)).toMatchObject({ withheld: expect.stringContaining('without a token') })
    expect(listen('127.0.0.1', 'short')).toMatchObject({ withheld: expect.stringContaining('guessed') })
    expect(listen('0.0.0.0', TOKEN)).toHaveProperty('listener')
    expect(['0.0.0.0', '10.0.0.1', '::', 'example'].some(isLoopback)).toBe(false)
  })
})

test('/openapi.json describes every path, in version 3.1', async () => {
  const { body } = await open().ask('GET', '/openapi.json')
  expect(body['openapi']).toBe('3.1.0')
  expect(Object.keys(body['paths'] as object).toSorted()).toEqual([
    '/v1/actors', '/v1/cluster', '/v1/events', '/v1/feed', '/v1/log', '/v1/moves', '/v1/moves/{id}/cancel', '/v1/nodes', '/v1/nodes/{id}',
    '/v1/nodes/{id}/activate', '/v1/nodes/{id}/drain', '/v1/plan', '/v1/plan/apply', '/v1/plan/pause', '/v1/plan/resume', '/v1/probe',
    '/v1/recording', '/v1/requests', '/v1/requests/{trace}', '/v1/ring', '/v1/settings', '/v1/shards',
    '/v1/shards/{shard}', '/v1/shards/{shard}/transfer',
  ])
})

test('/openapi.json says how a client shows the token, and whether this node asks for one', async () => {
  const headers = { authorization: `Bearer ${TOKEN}` }
  const { body: guarded } = await open(TOKEN).ask('GET', '/openapi.json', { headers })
  const { body: unguarded } = await open().ask('GET', '/openapi.json')
  for (const body of [guarded, unguarded]) {
    expect(body['components']).toMatchObject({ securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } })
  }
  expect([guarded['security'], unguarded['security']]).toEqual([[{ bearer: [] }], []])
})

test('/openapi.json says that numbers are whole, what they may be, and how long to wait after a 503', async () => {
  const { body } = await open().ask('GET', '/openapi.json')
  const paths = body['paths'] as Record<string, Record<string, { parameters: { name: string }[]; responses: Record<string, unknown> }>>
  const parameter = (path: string, name: string): unknown => paths[path]?.['get']?.parameters.find((one) => one.name === name)
  expect(parameter('/v1/shards/{shard}', 'shard')).toMatchObject({ required: true, schema: { type: 'integer', minimum: 0, example: 7 } })
  expect(parameter('/v1/events', 'limit')).toMatchObject({
    required: false, schema: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
  })
  expect(parameter('/v1/events', 'before')).toMatchObject({ required: false, schema: { type: 'integer', minimum: 1 } })
  expect(parameter('/v1/requests', 'limit')).toMatchObject({ schema: { type: 'integer', minimum: 1, maximum: 500, default: 50 } })
  expect(parameter('/v1/feed', 'shard')).toMatchObject({ required: false, schema: { type: 'integer', minimum: 0 } })
  expect(parameter('/v1/recording', 'from')).toMatchObject({ required: false, schema: { type: 'number', minimum: 0 } })
  for (const path of ['/v1/cluster', '/v1/actors', '/v1/log']) {
    expect(paths[path]?.['get']?.responses['default']).toMatchObject({ headers: { 'Retry-After': { schema: { type: 'integer' } } } })
  }
})
