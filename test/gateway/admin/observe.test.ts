/** The part of the admin API that shows what actors do: what it streams, what it refuses, and what it leaves behind when a reader goes. */

import { describe, expect, test } from '@jest/globals'
import { createAdminApp } from '../../../gateway/admin/app.ts'
import { until } from '../../support/until.ts'
import { createLogLevels } from '../../../observe/logLevels.ts'
import { breachRecord, lossRecord } from '../../../observe/recorder/gaps.ts'
import type { Observation, ProbeRequest } from '../../../observe/recorder/observation.ts'
import type { ActorRecord } from '../../../observe/recorder/record.ts'
import type { RequestsWish } from '../../../observe/recorder/requests.ts'
import type { WatchWish } from '../../../observe/recorder/watchers.ts'

const record: ActorRecord = { at: 7, seq: 1, node: 'n1', actor: 'raft/7', kind: 'note', event: 'leads' }
const trace = 'c'.repeat(32)
const TOKEN = 'a-token-of-this-test'

async function* broken(): AsyncGenerator<ActorRecord, void> {
  yield record
  throw new Error('of this test')
}

async function* listOf(records: readonly ActorRecord[]): AsyncGenerator<ActorRecord, void> {
  yield* records
}

interface Ask {
  readonly method?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

const open = (token: string | null = null) => {
  const world = {
    wishes: [] as WatchWish[], closed: 0, hasRoom: true, waiting: [record], taken: 0, probes: [] as ProbeRequest[],
    requests: [] as RequestsWish[], recordings: [] as object[], records: [record], isBroken: false,
  }
  const observation: Observation = {
    actors: async () => ({ nodes: [{ node: 'n1', at: 1, actors: [], operations: [] }], missing: ['n2'] }),
    watch: (wish) => {
      world.wishes.push(wish)
      if (!world.hasRoom) return null
      return {
        take: () => {
          world.taken += 1
          return { records: world.waiting.splice(0), lost: world.taken === 1 ? new Map([['n2', 3]]) : new Map<string, number>() }
        },
        close: () => { world.closed += 1 },
      }
    },
    recording: async (wish) => {
      world.recordings.push(wish)
      return { cluster: 'c1', madeAt: 9, nodes: ['n1'], missing: ['n2'], records: world.isBroken ? broken() : listOf(world.records) }
    },
    requests: async (wish) => {
      world.requests.push(wish)
      return { requests: [{ trace, at: 1, node: 'n1', op: 'put', shard: 3, status: 'OK', micros: 5, key: 'k' }], missing: [] }
    },
    probe: async (probe) => {
      world.probes.push(probe)
      return { status: 'OK', revision: 1 }
    },
  }
  const failures: unknown[] = []
  const app = createAdminApp({
    admin: () => null, observation: () => observation, token, version: '1', logLevels: createLogLevels('info'),
    newRequestId: () => 'x', onFailure: (error) => failures.push(error),
  })
  const ask = async (path: string, init: Ask = {}): Promise<Response> =>
    app.fetch(new Request(`http://127.0.0.1:8481${path}`, { ...init, headers: { host: '127.0.0.1:8481', ...init.headers } }))
  const json = async (path: string, init?: Ask): Promise<unknown> => (await ask(path, init)).json()
  return { world, ask, json, failures }
}

describe('GET /v1/feed', () => {
  test('streams what was lost, records and a beat, and ends its watcher when the reader goes', async () => {
    const { world, ask } = open()
    const answer = await ask('/v1/feed?node=n1,n2&actor=raft,shard/7&kind=state,note&shard=3&detail=1')
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
    const { value } = await reader.read()
    const [lost, records, beat] = new TextDecoder().decode(value).split('\n\n')
    expect(lost).toBe('event: lost\ndata: {"node":"n2","count":3}')
    expect(records).toBe(`event: records\ndata: ${JSON.stringify([record])}`)
    expect(beat).toMatch(/^event: beat\ndata: \{"at":\d+\}$/)
    expect(world.wishes).toEqual([
      { nodes: ['n1', 'n2'], actors: ['raft', 'shard/7'], kinds: ['state', 'note'], shard: 3, trace: undefined, detail: true },
    ])
    expect(world.closed).toBe(0)
    await reader.cancel()
    expect(world.closed).toBe(1)
  })

  test('is not opened by a HEAD, whose body nobody ever ends, and neither is a recording', async () => {
    const { world, ask } = open()
    for (const path of ['/v1/feed', '/v1/recording']) expect((await ask(path, { method: 'HEAD' })).status).toBe(405)
    expect(world.wishes).toEqual([])
  })

  test('takes nothing from its watcher while the reader does not read', async () => {
    const { world, ask } = open()
    const answer = await ask('/v1/feed')
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
    // One that is read looks again and again: by it is seen that there was time to.
    const other = open()
    const read = ((await other.ask('/v1/feed')).body as ReadableStream<Uint8Array>).getReader()
    await read.read()
    const taken = world.taken
    world.waiting.push(record)
    await until(() => other.world.taken > 3, 'the one that is read has looked several times')
    expect(world.taken).toBe(taken)
    await read.cancel()
    await reader.read()
    await until(() => world.taken > taken, 'what waits is taken once there is room')
    await reader.cancel()
  })

  test('is refused where there are too many watchers, and where a filter can not be meant', async () => {
    const { world, json, ask } = open()
    world.hasRoom = false
    expect(await json('/v1/feed')).toMatchObject({ status: 503, reason: 'overloaded' })
    expect((await ask('/v1/feed')).headers.get('retry-after')).toBe('1')
    const numbers = ['shard=x', 'shard=', 'shard=%20', 'shard=0x7', 'shard=1.5']
    for (const query of ['kind=rumour', 'node=N1', 'actor=raft%2F7%0A', 'trace=abc', 'detail=yes', ...numbers]) {
      expect([query, await json(`/v1/feed?${query}`)]).toMatchObject([query, { status: 400, reason: 'malformed' }])
    }
  })
})

describe('GET /v1/recording', () => {
  test('is a head and a record a line', async () => {
    const { world, ask } = open()
    world.records = Array.from({ length: 1_201 }, (_, i) => ({ ...record, seq: i + 1 }))
    const answer = await ask('/v1/recording?from=5')
    expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
    const lines = (await answer.text()).trimEnd().split('\n').map((line) => JSON.parse(line) as unknown)
    expect(lines[0]).toEqual({
      format: 'shardkv-recording', version: 1, cluster: 'c1', madeAt: 9, nodes: ['n1'], missing: ['n2'], from: 5, to: null,
    })
    expect(lines.slice(1)).toEqual(world.records)
    expect(world.recordings).toEqual([{ from: 5, to: Number.MAX_SAFE_INTEGER, trace: '' }])
    await ask('/v1/recording?kind=state,note')
    expect(world.recordings[1]).toMatchObject({ kinds: ['state', 'note'] })
    expect((await ask('/v1/recording?kind=rumour')).status).toBe(400)
    await ask(`/v1/recording?kind=${Array.from({ length: 7 }, () => 'state').join(',')}`)
    expect(world.recordings[2]).toMatchObject({ kinds: ['state'] })
  })

  test('is of moments in decimal digits, and of no others', async () => {
    const { world, ask } = open()
    for (const query of ['from=', 'from=%20', 'to=0x10', 'to=1e3', 'from=-1', 'from=5.', 'to=Infinity']) {
      expect([query, (await ask(`/v1/recording?${query}`)).status]).toEqual([query, 400])
    }
    await ask('/v1/recording?from=0&to=1764190000000.125')
    expect(world.recordings).toEqual([{ from: 0, to: 1_764_190_000_000.125, trace: '' }])
  })

  test('is refused while as many as may be are fetched, until one of them has ended', async () => {
    const { world, ask } = open()
    world.records = Array.from({ length: 5_000 }, (_, i) => ({ ...record, seq: i + 1 }))
    const fetched = await Promise.all(Array.from({ length: 4 }, () => ask('/v1/recording')))
    expect((await ask('/v1/recording')).status).toBe(503)
    await fetched[0]?.body?.cancel()
    expect((await ask('/v1/recording')).status).toBe(200)
  })

  test('that fails in the middle gives its place back', async () => {
    const { world, ask } = open()
    world.isBroken = true
    for (let i = 0; i < 4; i += 1) await expect((await ask('/v1/recording')).text()).rejects.toThrow('of this test')
    world.isBroken = false
    expect((await ask('/v1/recording')).status).toBe(200)
  })
})

describe('requests', () => {
  test('are listed as asked for, with keys as they are shown', async () => {
    const { world, json } = open()
    expect(await json('/v1/requests?order=slowest&failed=1&key=a%20%C3%A4&limit=3')).toMatchObject({ requests: [{ trace, op: 'put' }] })
    expect(world.requests).toEqual([{ order: 'slowest', isFailed: true, key: 'a %C3%A4', limit: 3 }])
    for (const query of ['limit=', 'limit=0', 'limit=501', 'limit=0x3', 'failed=']) {
      expect([query, await json(`/v1/requests?${query}`)]).toMatchObject([query, { reason: 'malformed' }])
    }
  })

  test('have a journey, which is the recording of their trace', async () => {
    const { world, json } = open()
    expect(await json(`/v1/requests/${trace}`)).toEqual({ trace, records: [record], missing: ['n2'] })
    expect(world.recordings).toEqual([{ from: 0, to: Number.MAX_SAFE_INTEGER, trace }])
    world.records = [
      record, lossRecord({ node: 'n3', at: 8, seq: 2, ring: 'traffic', until: 9 }), breachRecord({ node: 'n1', at: 8, seq: 2, records: 1 }),
    ]
    expect(await json(`/v1/requests/${trace}`)).toEqual({ trace, records: [record], missing: ['n2', 'n1'] })
    expect(await json('/v1/requests/short')).toMatchObject({ reason: 'malformed' })
  })

  test('have as many journeys at a time as there may be recordings: each looks through all that the nodes remember', async () => {
    const { world, ask } = open()
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask(`/v1/requests/${trace}`)))
    expect(world.recordings).toHaveLength(4)
    expect(answers.map(({ status }) => status)).toEqual([...Array.from({ length: 4 }, () => 200), ...Array.from({ length: 8 }, () => 503)])
    world.isBroken = true
    for (let i = 0; i < 4; i += 1) expect((await ask(`/v1/requests/${trace}`)).status).toBe(500)
    world.isBroken = false
    expect((await ask(`/v1/requests/${trace}`)).status).toBe(200)
    const fetched = await Promise.all(Array.from({ length: 4 }, () => ask(`/v1/requests/${trace}`)))
    expect(fetched.map(({ status }) => status)).toEqual([200, 200, 200, 200])
  })

  test('of its own are a put and a get of a reserved key, or the get of a given one: nobody\'s data is written', async () => {
    const { world, json } = open()
    const { trace: both } = await json('/v1/probe', { method: 'POST' }) as { trace: string[] }
    expect(world.probes.map(({ op, key }) => [op, key])).toEqual([['put', '__shardkv_probe'], ['get', '__shardkv_probe']])
    expect(world.probes.map(({ trace: { traceId, flags } }) => [traceId, flags])).toEqual(both.map((id) => [id, 1]))
    const body = JSON.stringify({ key: '{p}ä' })
    const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }
    await json('/v1/probe', { method: 'POST', body, headers })
    expect(world.probes.slice(2)).toMatchObject([{ op: 'get', key: '{p}Ã¤', hashToken: 'p' }])
    const wrong = JSON.stringify({ key: '{p' })
    expect(await json('/v1/probe', { method: 'POST', body: wrong, headers: { ...headers, 'content-length': String(wrong.length) } }))
      .toMatchObject({ status: 422, reason: 'invalid' })
  })
})

test('nothing of it is shown to whoever lacks the token', async () => {
  const { world, ask } = open(TOKEN)
  for (const path of ['/v1/actors', '/v1/feed', '/v1/recording', '/v1/requests', `/v1/requests/${trace}`]) {
    expect([path, (await ask(path)).status]).toEqual([path, 401])
  }
  expect((await ask('/v1/probe', { method: 'POST' })).status).toBe(401)
  expect([world.wishes, world.recordings, world.probes]).toEqual([[], [], []])
})

test('/v1/actors says whom it did not hear from', async () => {
  expect(await open().json('/v1/actors')).toEqual({ nodes: [{ node: 'n1', at: 1, actors: [], operations: [] }], missing: ['n2'] })
})
