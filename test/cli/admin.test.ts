/** The commands that talk to a node's admin API, over an HTTP port in the test's hands. */

import { describe, expect, test } from '@jest/globals'
import { createSimulatedWait } from './waits.ts'
import { fakeTerminal } from './fakes.ts'
import type { HttpAnswer, HttpRequest } from '../../cli/io.ts'
import type { CliRun } from './fakes.ts'

type Reply = HttpAnswer | Error

const ok = (value: object): HttpAnswer => ({ status: 200, body: JSON.stringify(value) })
const problem = (status: number, reason: string, detail = 'why'): HttpAnswer =>
  ({ status, body: JSON.stringify({ type: `urn:shardkv:problem:${reason}`, title: reason, status, detail, reason }) })
const refused = (): Error => new TypeError('fetch failed', { cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }) })
const changed = ok({ outcome: 'applied', epoch: 8, move: null })
const head = { epoch: 7, consistency: 'linearizable' }
const move = {
  id: 12, group: 3, add: 'n4:9', remove: 'n1:1', step: 'adding', orderedAt: 7, entriesLeft: 40,
  bytes: { done: 1_048_576, total: 4_194_304, perSecond: 524_288, secondsLeft: 6 },
}
const node = { id: 'n4', state: 'draining', isLost: false, weight: 1, zone: '', replicas: 5, leads: 1, isMetaMember: true, moves: 1,
  addresses: { host: 'web4', http: 'http://10.0.0.4:8480', hasAdmin: true } }
const plan = {
  ...head, isPaused: true, underWay: 1, moves: [{ group: 3, add: 'n4', remove: 'n1:1' }, { group: 'meta', add: 'n4', remove: null }],
  next: [], cancels: [4], preferences: [], blocked: [5], heldBack: [6], heldBackBy: ['n4'],
  balance: {
    isOn: true, nodes: [{ id: 'n1', weight: 1, operationsPerSecond: 3_000 }, { id: 'n2', weight: 1, operationsPerSecond: 1_000 }],
  },
}

/** `reply` decides each request; ids count up, time passes by itself. */
const open = (reply: (request: HttpRequest) => Reply, env: Record<string, string> = {}, isOutputTty = false) => {
  const requests: HttpRequest[] = []
  const terminal = fakeTerminal(null, {
    env: { USER: 'ada', ...env },
    clock: createSimulatedWait(),
    isOutputTty,
    http: async (request) => {
      requests.push(request)
      const answer = reply(request)
      if (answer instanceof Error) throw answer
      return answer
    },
  })
  const run = (line: string): Promise<CliRun> => terminal.run(...line.split(' '))
  return { requests, run, interrupt: terminal.interrupt }
}

describe('log level', () => {
  const two = '--admin http://a:1,http://b:2'
  const levels = ok({ level: 'info', actors: { raft: 'debug' } })

  test('asks and tells every node that is named', async () => {
    const { requests, run } = open(() => levels)
    expect((await run(`log level raft debug ${two} -w raw`)).out)
      .toBe(['a:1\tall\tinfo', 'a:1\traft\tdebug', 'b:2\tall\tinfo', 'b:2\traft\tdebug', ''].join('\n').replaceAll(/^(?=.)/gm, 'http://'))
    expect(requests.map(({ method, url, body }) => [method, url, JSON.parse(body ?? '')])).toEqual(
      ['http://a:1', 'http://b:2'].map((url) => ['PATCH', `${url}/v1/log`, { actor: 'raft', level: 'debug' }]))
    await run(`log level ${two}`)
    expect(requests.slice(2).map(({ method }) => method)).toEqual(['GET', 'GET'])
  })

  const withoutFirst = ({ url }: HttpRequest): Reply => (url.startsWith('http://a:1') ? refused() : levels)

  test('asks the others, too, when one does not answer, shows all, and ends with 4', async () => {
    const { requests, run } = open(withoutFirst)
    const asked = await run(`log level ${two} -w raw`)
    expect(asked.out).toBe('http://a:1\t-\tunreachable\nhttp://b:2\tall\tinfo\nhttp://b:2\traft\tdebug\n')
    expect(asked).toMatchObject({ code: 4, err: expect.stringContaining('1 of 2 nodes did not do as asked (http://a:1): no node answers') })
    const changedThere = await run(`log level raft debug ${two} -w json`)
    expect([changedThere.code, requests.slice(2).map(({ method }) => method)]).toEqual([4, ['PATCH', 'PATCH']])
    expect(JSON.parse(changedThere.out)).toEqual({
      'http://a:1': { error: expect.stringContaining('ECONNREFUSED') }, 'http://b:2': { level: 'info', actors: { raft: 'debug' } },
    })
  })

  test('where nobody answers, or all refuse, says that alone', async () => {
    expect(await open(refused).run(`log level ${two}`)).toMatchObject({ code: 4, out: '', err: expect.stringContaining('no node answers') })
    expect(await open(() => problem(401, 'unauthorised')).run(`log level ${two}`))
      .toMatchObject({ code: 1, out: '', err: expect.stringContaining('SHARDKV_ADMIN_TOKEN') })
  })

  test('of all is of no actor in particular, and an actor without a level is a question half asked', async () => {
    const { requests, run } = open(() => levels)
    await run('log level all warn --admin http://a:1')
    expect(JSON.parse(requests[0]?.body ?? '')).toEqual({ actor: null, level: 'warn' })
    for (const wrong of ['nobody debug', 'raft loud']) {
      expect(await run(`log level ${wrong}`)).toMatchObject({ code: 2, err: expect.stringContaining('Allowed choices are') })
    }
    expect(await run('log level raft')).toMatchObject({ code: 2, err: expect.stringContaining('give a level') })
  })
})

describe('a change', () => {
  test.each<readonly [string, string, string, object | undefined]>([
    ['pause', 'POST', '/v1/plan/pause', undefined],
    ['resume', 'POST', '/v1/plan/resume', undefined],
    ['cancel 12', 'POST', '/v1/moves/12/cancel', undefined],
    ['member drain n2', 'POST', '/v1/nodes/n2/drain', undefined],
    ['member drain n2 --force', 'POST', '/v1/nodes/n2/drain?force=true', undefined],
    ['member activate n2', 'POST', '/v1/nodes/n2/activate', undefined],
    ['member remove n2', 'DELETE', '/v1/nodes/n2', undefined],
    ['member remove n2 --force', 'DELETE', '/v1/nodes/n2?force=true', undefined],
    ['member zone n2 r1 --force', 'PATCH', '/v1/nodes/n2?force=true', { zone: 'r1' }],
    ['cluster replicas 3 --force', 'PATCH', '/v1/cluster?force=true', { replicationFactor: 3 }],
    ['member weight n2 3', 'PATCH', '/v1/nodes/n2', { weight: 3 }],
    ['member zone n2 r1', 'PATCH', '/v1/nodes/n2', { zone: 'r1' }],
    ['cluster replicas 5', 'PATCH', '/v1/cluster', { replicationFactor: 5 }],
    ['cluster balance off', 'PATCH', '/v1/cluster', { isBalanced: false }],
    ['shard move 3 - n4', 'POST', '/v1/moves', { group: 3, add: 'n4', remove: null }],
  ])('%s is one request, which says who asks', async (line, method, path, body) => {
    const { requests, run } = open(() => changed)
    expect(await run(`${line} -w json`)).toEqual({ code: 0, out: '{"outcome":"applied","epoch":8,"move":null}\n', err: '' })
    const [request, ...more] = requests
    expect(more).toEqual([])
    expect(request).toMatchObject({ method, url: `http://127.0.0.1:8481${path}` })
    expect(request?.headers).toMatchObject({ 'shardkv-by': 'ada', 'idempotency-key': expect.stringMatching(/^cli-[0-9a-f]{16}$/) })
    expect(request?.body === undefined ? undefined : JSON.parse(request.body)).toEqual(body)
  })

  test.each([
    'pause', 'resume', 'cancel 12', 'member drain n2', 'member activate n2', 'member remove n2', 'member weight n2 3', 'member zone n2 r1',
    'cluster replicas 5', 'cluster balance off', 'shard move 3 - n4', 'shard transfer 3 n4',
  ])('%s is for one epoch alone when it is told which', async (line) => {
    const { requests, run } = open(() => problem(412, 'staleEpoch'))
    expect(await run(`${line} --if-epoch 7`)).toMatchObject({ code: 1, err: expect.stringContaining('look again') })
    expect(requests[0]?.headers).toMatchObject({ 'if-match': '"7"' })
    await run(line)
    expect(requests[1]?.headers).not.toHaveProperty('if-match')
    expect((await run(`${line} --if-epoch new`)).code).toBe(2)
  })

  test('that is forced says what it costs, where it costs something', async () => {
    const forced = open(() => ok({ outcome: 'applied', epoch: 8, move: null, cost: 'every shard has 2 of 3 replicas' }))
    expect((await forced.run('member drain n2 --force')).out).toBe('n2 drains (epoch 8)\nwhat it costs: every shard has 2 of 3 replicas\n')
    const piped = await forced.run('member drain n2 --force -w raw')
    expect(piped).toMatchObject({ out: 'applied\t8\n', err: expect.stringContaining('2 of 3') })
    const free = open(() => ok({ outcome: 'applied', epoch: 8, move: null, cost: null }))
    expect((await free.run('member drain n2 --force')).out).toBe('n2 drains (epoch 8)\n')
  })

  test.each(['shard move 3 - n4', 'shard transfer 3 n4'])('%s, made while the cluster is paused, says how that ends', async (line) => {
    const { run } = open(() => ok({ outcome: 'applied', epoch: 8, move: 12, shard: 3, leader: 'n4' }))
    expect((await run(line)).out).toContain('the cluster stays paused: "shardkv resume"')
  })

  test('of a replica names the one that its node has', async () => {
    const shard = ok({ ...head, shard: { shard: 3, replicas: ['n2:1', 'n1:5'] } })
    const { requests, run } = open(({ method }) => (method === 'GET' ? shard : changed))
    expect((await run('shard move 3 n1 n4')).out).toContain('shard 3 moves: n1:5 -> n4')
    expect(JSON.parse(requests[1]?.body ?? '')).toEqual({ group: 3, add: 'n4', remove: 'n1:5' })
    expect(await run('shard move 3 n9 n4')).toMatchObject({ code: 3, err: expect.stringContaining('n2:1, n1:5') })
  })

  test('goes to the next node with the same key when the first does not answer', async () => {
    const { requests, run } = open(({ url }) => {
      if (url.includes(':8481')) return refused()
      return url.includes(':8482') ? problem(503, 'starting') : changed
    })
    expect(await run('pause')).toEqual({ code: 0, out: 'paused: no move begins by itself (epoch 8)\n', err: '' })
    expect(new Set(requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
    expect(requests).toHaveLength(3)
  })

  test('that was so already says so', async () => {
    expect((await open(() => ok({ outcome: 'unchanged', epoch: 8, move: null })).run('pause')).out).toBe('it was so already (epoch 8)\n')
  })

  test('carries the token, from the flag or the environment, and never says it', async () => {
    const { requests, run } = open(() => problem(401, 'unauthorised'), { SHARDKV_ADMIN_TOKEN: 'from-the-environment' })
    process.env['SHARDKV_ADMIN_TOKEN'] = 'from-the-environment'
    try {
      const told = await run('pause')
      expect(told).toMatchObject({ code: 1, err: expect.stringContaining('SHARDKV_ADMIN_TOKEN') })
      expect(told.err).not.toContain('from-the-environment')
      await run('pause --admin-token another')
    } finally {
      delete process.env['SHARDKV_ADMIN_TOKEN']
    }
    expect(requests.map(({ headers }) => headers['authorization'])).toEqual(['Bearer from-the-environment', 'Bearer another'])
  })
})

describe('a node more', () => {
  const known = ok({ ...head, nodes: [node, { ...node, id: 'n5', state: 'active' }, { ...node, id: 'n6', state: 'left' }] })

  test('adds itself: what to type on its machine is said, and nothing is changed', async () => {
    const { requests, run } = open(() => known)
    const line = 'shardkv node --join --id n7 --dir ./n7 --servers nats://HOST:4222 --weight 2 --zone r1'
    expect((await run('member add n7 --weight 2 --zone r1 -w raw')).out).toBe(`${line}\n`)
    expect((await run('member add n7 --weight 2 --zone r1')).out).toContain(`nothing was changed: a node adds itself`)
    expect((await run('member add -w raw')).out).toBe('shardkv node --join --servers nats://HOST:4222\n')
    expect((await run('member add n6')).out).toContain('--id n6')
    expect(requests.filter(({ method }) => method !== 'GET')).toEqual([])
  })

  test.each([['n5', 'start it where its data is'], ['n4', 'shardkv member activate n4']])(
    'of the name %s, which is a member, is refused with what to do instead', async (name, words) => {
      expect(await open(() => known).run(`member add ${name}`)).toMatchObject({ code: 1, out: '', err: expect.stringContaining(words) })
    })

  test.each(['member add N7', 'member add n7 --weight 0', 'member add n7 --weight 65', 'member add n7 --zone _'])(
    '%s is refused', async (line) => {
      expect((await open(() => known).run(line)).code).toBe(2)
    })
})

describe('a refusal', () => {
  test.each<readonly [number, string, number, string]>([
    [400, 'malformed', 2, 'malformed: why'],
    [404, 'unknownNode', 3, 'shardkv member list'],
    [409, 'tooFewNodes', 1, 'shardkv node --join'],
    [409, 'zonesTooFew', 1, '--force'],
    [409, 'noRedundancy', 1, '--force'],
    [412, 'staleEpoch', 1, 'look again'],
    [422, 'weightOutOfRange', 1, 'why'],
    [503, 'undecided', 4, 'shardkv status'],
    [504, 'givenUp', 4, 'why'],
  ])('%i %s ends with code %i and says what to do next', async (status, reason, code, words) => {
    const told = await open(() => problem(status, reason)).run('member drain n2')
    expect(told).toEqual({ code, out: '', err: expect.stringContaining(words) })
    expect(told.err).toContain(`${reason}: why`)
  })

  test('of nobody names everybody who was asked', async () => {
    const told = await open(refused).run('member list --admin http://a:1,http://b:2')
    expect(told).toMatchObject({ code: 4, out: '' })
    expect(told.err).toMatch(/a:1: ECONNREFUSED; http:\/\/b:2: ECONNREFUSED\); name one with --admin/)
  })

  test('in another language is no refusal of a node', async () => {
    const { run } = open(() => ({ status: 404, body: '<html>' }))
    expect(await run('member list')).toMatchObject({ code: 1, err: expect.stringContaining('404') })
  })

  test.each([
    'member', 'member drain', 'member weight n2 x', 'member list --admin ftp://x', 'shard move x n1 n2', 'cancel 0',
    'plan --apply --drain n2',
  ])('%s is one of the command line itself', async (line) => {
    const { requests, run } = open(() => changed)
    expect((await run(line)).code).toBe(2)
    expect(requests).toEqual([])
  })
})

describe('what is shown', () => {
  const answers = (path: string): HttpAnswer => {
    if (path.startsWith('/v1/plan')) return ok(plan)
    if (path === '/v1/moves') return ok({ ...head, moves: [move] })
    const silent = { ...node, id: 'n5', isLost: true, zone: 'r1', isMetaMember: false, addresses: null }
    if (path === '/v1/nodes') return ok({ ...head, nodes: [node, silent] })
    if (path === '/v1/shards') return ok({ ...head, shards: [{ shard: 3, replicas: ['n1:1', 'n2:1'], leader: null, move }] })
    const event = { epoch: 7, at: 0, by: 'ada', what: 'node n4 drains', move: null }
    if (path.startsWith('/v1/events')) return ok({ ...head, events: [event], older: null, oldest: 1 })
    return ok({
      ...head, consistency: 'local', cluster: 'c', shardCount: 4, replicationFactor: 3, isPaused: true, moves: 1, metaReplicas: ['n1:1'],
      nodes: { active: 3, draining: 1, left: 0, lost: 1 },
    })
  }
  const { run } = open(({ url }) => answers(new URL(url).pathname))

  test.each<readonly [string, string]>([
    ['plan -w raw', '3\tn4\tn1:1\nmeta\tn4\t-\n'],
    ['moves -w raw', '12\t3\tn4:9\tn1:1\tadding\t40\t1048576\t4194304\t524288\t6\n'],
    ['member list -w raw', 'n4\tdraining\t1\t-\t5\t1\t1\tyes\thttp://10.0.0.4:8480\nn5\tdraining, lost\t1\tr1\t5\t1\t1\t-\t-\n'],
    ['shard list -w raw', '3\tnone\tn1:1 n2:1\t12 n1:1 -> n4:9 adding\t-\n'],
    ['events -w raw', '7\t1970-01-01T00:00:00.000Z\tada\tnode n4 drains\n'],
    ['cluster show -w raw', 'c\t7\n'],
  ])('%s is for pipes', async (line, out) => {
    expect(await run(line)).toEqual({ code: 0, out, err: '' })
  })

  test('of a plan is all that a person wants to know', async () => {
    const { out } = await run('plan')
    for (const words of ['2 moves to come, 1 under way, at epoch 7', 'undone: 4', 'not touched: 5', 'shardkv resume', 'n1:1 -> n4',
      'held back, with a replica on a draining node: 6; too few would be left while n4 is lost',
      'n1 3.0k (1.50 of even)']) {
      expect(out).toContain(words)
    }
  })

  test('of a move is how much is copied, how fast, and how long it takes', async () => {
    const { out } = await run('moves')
    for (const words of ['1.0 MiB of 4.0 MiB', '512 KiB/s', '6 s']) expect(out).toContain(words)
  })

  test.each<readonly [string, number | undefined, number | null, string]>([
    ['the events that are forgotten, at the end of those that are kept', 41, null, 'events of epochs 1 to 40 are forgotten'],
    ['that of one event alike', 2, null, 'events of epoch 1 are forgotten'],
    ['nothing of that while there are older ones', 41, 6, ''],
    ['nothing where nothing is forgotten', 1, null, ''],
    ['nothing where an earlier version does not say', undefined, null, ''],
  ])('of events is %s', async (_, oldest, older, words) => {
    const event = { epoch: 7, at: 0, by: 'ada', what: 'node n4 drains', move: null }
    const { out } = await open(() => ok({ ...head, events: [event], older, oldest })).run('events')
    expect(out).toContain('node n4 drains')
    if (words === '') expect(out).not.toContain('forgotten')
    else expect(out).toContain(words)
  })

  test('of a cluster whose leader is away says that it may be old', async () => {
    expect((await run('cluster show')).out).toContain('could not be reached')
  })
})

test('plan --apply is for the epoch of the plan that was shown', async () => {
  const { requests, run } = open(({ method }) => (method === 'GET' ? ok(plan) : problem(412, 'staleEpoch')))
  expect(await run('plan --apply')).toMatchObject({ code: 1, err: expect.stringContaining('look again') })
  expect(requests[1]).toMatchObject({ url: expect.stringContaining('/v1/plan/apply'), headers: { 'if-match': '"7"' } })
})

describe('following', () => {
  const cluster = ok({ ...head, isPaused: false })
  const drain = (states: readonly (object | Error)[]) => {
    let at = -1
    return open(({ method, url }) => {
      if (method === 'POST') return changed
      if (!url.includes('/v1/nodes/')) return cluster
      at = Math.min(at + 1, states.length - 1)
      const state = states[at]
      return state instanceof Error ? state : ok({ ...head, node: { ...node, ...state }, moves: [move] })
    })
  }

  test('a drain tells what is left, bears nodes that do not answer, and ends when the node has left', async () => {
    const { run } = drain([{}, {}, refused(), refused(), refused(), { replicas: 1 }, { state: 'left', replicas: 0 }])
    const { code, err } = await run('member drain n4 --wait')
    expect(code).toBe(0)
    expect(err.split('\n')).toEqual([
      'n4: 5 replicas left, and one of the meta group; shard 3 n1:1 -> n4:9 adding, 40 entries to go',
      'n4: 1 replicas left, and one of the meta group; shard 3 n1:1 -> n4:9 adding, 40 entries to go', 'n4 has left', '',
    ])
  })

  test('a drain that waits for a lost node says so', async () => {
    const { run } = open(({ method, url }) => {
      if (method === 'POST') return changed
      if (url.includes('/v1/plan')) return ok({ ...plan, heldBack: [6] })
      if (!url.includes('/v1/nodes/')) return cluster
      seen += 1
      return ok({ ...head, node: { ...node, state: seen < 3 ? 'draining' : 'left' }, moves: [] })
    })
    let seen = 0
    const { code, err } = await run('member drain n4 --wait')
    expect(code).toBe(0)
    expect(err).toMatch(/^n4: 5 replicas left, and one of the meta group; held back.*: 6; .*n4 is lost.*\nn4 has left\n$/)
  })

  test('a drain that somebody ended says so', async () => {
    const { run } = drain([{}, { state: 'active' }])
    expect(await run('member drain n4 --wait')).toMatchObject({ code: 1, err: expect.stringContaining('active again') })
  })

  test('is ended by Ctrl-C; the drain goes on', async () => {
    const world = drain([{}])
    const ended = world.run('member drain n4 --wait')
    while (world.requests.length < 4) await new Promise((wake) => { setImmediate(wake) })
    world.interrupt()
    expect(await ended).toMatchObject({ code: 1, err: expect.stringContaining('the drain goes on') })
    expect(world.requests.filter(({ method }) => method !== 'GET')).toHaveLength(1)
  })

  /** One answer for each look, the last again and again; a look asks for the moves, then for the plan. */
  const looks = (seen: readonly { moves?: readonly object[]; plan?: object }[], isTty = false) => {
    let at = -1
    const { run, requests, interrupt } = open(({ method, url }) => {
      if (method === 'POST') return changed
      if (url.includes('/v1/moves')) {
        at = Math.min(at + 1, seen.length - 1)
        return ok({ ...head, moves: seen[at]?.moves ?? [] })
      }
      const { moves = [], plan: changes = {} } = seen[at] ?? {}
      return ok({ ...plan, isPaused: false, blocked: [], heldBack: [], moves: [], underWay: moves.length, epoch: 8, ...changes })
    }, {}, isTty)
    return { run, requests, interrupt }
  }
  const bytes = (done: number): object => ({ ...move, bytes: { ...move.bytes, done: done * 1_048_576 } })
  const toCome = { moves: [{ group: 4, add: 'n4', remove: 'n1:1' }] }

  test('a plan tells each change on a line of its own, and ends when nothing is left', async () => {
    const { run } = looks([
      { moves: [bytes(0)], plan: toCome }, { moves: [bytes(0.1)], plan: toCome }, { moves: [bytes(3)], plan: toCome },
      { moves: [{ ...move, step: 'promoting', bytes: null }], plan: toCome }, { plan: toCome },
      { moves: [{ ...move, id: 13, group: 4 }] }, {},
    ])
    const { code, out, err } = await run('plan --follow')
    expect([code, err]).toEqual([0, 'nothing is left to do\n'])
    expect(out.split('\n').filter((line) => /move 1|to come/.test(line)).slice(1)).toEqual([
      'move 12: shard 3 n1:1 -> n4:9 adding, 0 B of 4.0 MiB, 512 KiB/s, ends in 6 s',
      '1 moves to come, 1 under way',
      'move 12: shard 3 n1:1 -> n4:9 adding, 3.0 MiB of 4.0 MiB, 512 KiB/s, ends in 6 s',
      'move 12: shard 3 n1:1 -> n4:9 promoting',
      'move 12 is done', '1 moves to come, 0 under way',
      'move 13: shard 4 n1:1 -> n4:9 adding, 1.0 MiB of 4.0 MiB, 512 KiB/s, ends in 6 s', '0 moves to come, 1 under way',
      'move 13 is done', '0 moves to come, 0 under way',
    ])
  })

  test('a plan is drawn over itself on a terminal', async () => {
    const { out, code } = await looks([{ moves: [bytes(1)], plan: toCome }, { moves: [bytes(2)] }, {}], true).run('plan --follow')
    const frames = out.split('\u001b[?7l').slice(1)
    expect([code, frames.length]).toEqual([0, 3])
    expect(frames[1]).toContain('2.0 MiB of 4.0 MiB')
    expect(frames.map((frame) => /\[(\d)A$/.exec(frame)?.[1])).toEqual(['3', '3', undefined])
    expect(frames.every((frame) => frame.includes('\u001b[J\u001b[?7h'))).toBe(true)
  })

  test('a plan that was just let begin is not taken for paused by what a node knew before', async () => {
    const stale = { plan: { ...toCome, isPaused: true, epoch: 7 } }
    const { run, requests } = looks([stale, { plan: { ...toCome, isPaused: true, consistency: 'local' } }, { moves: [move] }, {}])
    expect(await run('plan --apply --follow -w json')).toMatchObject({ code: 0, err: expect.stringContaining('nothing is left to do') })
    expect(requests.filter(({ method }) => method === 'POST')).toHaveLength(1)
  })

  test.each<readonly [string, object, string]>([
    ['paused', { ...toCome, isPaused: true }, 'the cluster is paused, with 1 moves to come'],
    ['blocked', { blocked: [5] }, 'all else is done, but 5 can not be moved'],
    ['held back', { heldBack: [6, 'meta'] }, 'all else is done; held back, with a replica on a draining node: 6, meta; too few would be '
      + 'left while n4 is lost: bring that back'],
  ])('a plan that is %s ends with what to do', async (_, changes, words) => {
    expect(await looks([{ plan: changes }]).run('plan --follow -w raw')).toMatchObject({ code: 1, err: expect.stringContaining(words) })
  })

  test('a plan is followed until Ctrl-C, and goes on', async () => {
    const world = looks([{ moves: [move], plan: toCome }])
    const ended = world.run('plan --follow -w json')
    while (world.requests.length < 4) await new Promise((wake) => { setImmediate(wake) })
    world.interrupt()
    const { code, out, err } = await ended
    expect([code, err]).toEqual([1, expect.stringContaining('the plan goes on')])
    expect(JSON.parse(out)).toEqual({ epoch: 8, isPaused: false, left: 1, blocked: [], heldBack: [], moves: [move] })
    expect(world.requests.every(({ method }) => method === 'GET')).toBe(true)
  })

  test('moves are printed when they change, until nothing is left', async () => {
    const left = [[move], [move], [{ ...move, step: 'promoting' }], []]
    const answers = (url: string): object => (url.includes('/v1/plan') ? { ...plan, underWay: 0 } : { ...head, moves: left.shift() ?? [] })
    const { run } = open(({ url }) => ok(answers(url)))
    const { code, out } = await run('moves --follow -w raw')
    const copied = '\t1048576\t4194304\t524288\t6'
    expect([code, out]).toEqual([0, `12\t3\tn4:9\tn1:1\tadding\t40${copied}\n12\t3\tn4:9\tn1:1\tpromoting\t40${copied}\n\n`])
  })
})
