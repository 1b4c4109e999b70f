/** `shardkv trace`, `record` and `replay`: what they ask for, what they draw, and what they say of a damaged file. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { arrowsOf } from '../../cli/trace/arrows.ts'
import { sequenceDiagram } from '../../cli/trace/diagram.ts'
import { breachRecord, lossRecord } from '../../observe/recorder/gaps.ts'
import { headLine, recordLine } from '../../observe/recorder/recording.ts'
import { storyOf } from '../../observe/recorder/story.ts'
import { fakeTerminal } from './fakes.ts'
import type { ActorRecord } from '../../observe/recorder/record.ts'
import type { HttpAnswer, HttpRequest } from '../../cli/io.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'shardkv-trace-'))
  folders.push(made)
  return made
}

let seq = 0
const at = (ms: number, node: string, actor: string, rest: Pick<ActorRecord, 'kind' | 'event'> & Partial<ActorRecord>): ActorRecord => {
  seq += 1
  return { at: 1_000 + ms, seq, node, actor, ...rest }
}
const trace = 'a'.repeat(32)
const phase = (event: string, more: Partial<ActorRecord> = {}) => ({ kind: 'phase' as const, event, trace, shard: 7, ...more })
const mail = (kind: 'send' | 'receive', event: string, peer: string) => ({ kind, event, peer, trace, shard: 7 })

const journey: readonly ActorRecord[] = [
  at(0, 'n1', 'door', phase('arrive', { detail: { op: 'put', key: 'user42' } })),
  at(0.4, 'n1', 'shard/7', phase('propose', { micros: 300 })),
  at(0.5, 'n1', 'raft/7', mail('send', 'raft.append', 'n2')),
  at(0.6, 'n1', 'raft/7', mail('send', 'raft.append', 'n3')),
  at(1, 'n2', 'raft/7', mail('receive', 'raft.append', 'n1')),
  at(1.9, 'n2', 'raft/7', phase('fsync', { micros: 850 })),
  at(2, 'n2', 'raft/7', mail('send', 'raft.appendAccepted', 'n1')),
  at(2.1, 'n1', 'raft/7', phase('fsync', { micros: 1_500 })),
  at(2.4, 'n1', 'raft/7', mail('receive', 'raft.appendAccepted', 'n2')),
  at(2.5, 'n1', 'raft/7', phase('replicate', { micros: 2_000, peer: 'n2' })),
  at(2.6, 'n1', 'raft/7', phase('commit', { micros: 2_200 })),
  at(2.7, 'n1', 'shard/7', phase('apply', { micros: 100 })),
  at(2.8, 'n1', 'door', phase('reply', { micros: 2_800, detail: { op: 'put', key: 'user42', status: 'OK' } })),
]

const open = (reply: (request: HttpRequest) => HttpAnswer) => {
  const requests: HttpRequest[] = []
  const terminal = fakeTerminal(null, {
    http: async (request) => {
      requests.push(request)
      return reply(request)
    },
  })
  return { requests, run: (...args: string[]) => terminal.run(...args) }
}
const ok = (value: unknown): HttpAnswer => ({ status: 200, body: JSON.stringify(value) })

test('a journey is a column for each node, an arrow for each message and a mark for each phase', () => {
  expect(sequenceDiagram(journey, 92)).toEqual([
    '        ms  n1                            n2                            n3',
    '     0.000  ● put arrives                 │                             │',
    '     0.400  ◇ proposed 0.30 ms            │                             │',
    '     0.500  ├────────── append ──────────▶│                             │   0.50 ms',
    '     0.600  ├───────────────────────── append ─────────────────────────▶│   not seen to arrive',
    '     1.900  │                             ■ on disk 0.85 ms             │',
    '     2.000  │◀───── appendAccepted ───────┤                             │   0.40 ms',
    '     2.100  ■ on disk 1.50 ms             │                             │',
    '     2.500  ◆ on n2\'s disk 2.00 ms        │                             │',
    '     2.600  ◆ committed 2.20 ms           │                             │',
    '     2.700  ◇ applied 0.10 ms             │                             │',
    '     2.800  ● OK after 2.80 ms            │                             │',
  ])
})

test('an arrow ends where its message was heard, and nowhere when it was not', () => {
  const records = [
    at(0, 'n1', 'raft/7', mail('send', 'raft.append', 'n3')), at(1, 'n1', 'raft/7', mail('send', 'raft.append', 'n2')),
    at(2, 'n2', 'raft/7', mail('receive', 'raft.append', 'n1')), at(3, 'n3', 'raft/7', mail('receive', 'raft.timeoutNow', 'n1')),
  ]
  expect(arrowsOf(records).map(({ to, event, transitMs, isUnheard }) => [to, event, transitMs, isUnheard])).toEqual([
    ['n3', 'raft.append', null, true], ['n2', 'raft.append', 1, false], ['n3', 'raft.timeoutNow', null, false],
  ])
})

describe('shardkv trace', () => {
  test('ID draws that request', async () => {
    const { requests, run } = open(() => ok({ trace, records: journey, missing: ['n3'] }))
    const { code, out } = await run('trace', trace)
    expect(code).toBe(0)
    expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual([`GET http://127.0.0.1:8481/v1/requests/${trace}`])
    expect(out).toContain(`put user42  shard 7  OK in 2.80 ms  trace ${trace}`)
    expect(out).toContain('without n3, which did not answer')
  })

  test('ID of what nobody remembers ends with 3', async () => {
    const { run } = open(() => ok({ trace, records: [], missing: [] }))
    expect(await run('trace', trace)).toMatchObject({ code: 3, err: expect.stringContaining('no node remembers') })
  })

  test('--probe sends one and draws what came of it', async () => {
    const { requests, run } = open(({ method }) =>
      ok(method === 'POST' ? { trace: [trace] } : { trace, records: journey, missing: [] }))
    expect((await run('trace', '--probe', '--key', 'user42', '-w', 'raw')).out).toContain('raft/7\tphase\tfsync\t\t1500')
    expect(requests.map(({ method, url, body }) => [method, url.slice(21), body])).toEqual([
      ['POST', '/v1/probe', '{"key":"user42"}'], ['GET', `/v1/requests/${trace}`, undefined],
    ])
  })

  test('alone lists what is kept', async () => {
    const request = { trace, at: 0, node: 'n1', op: 'get', shard: 3, status: 'TIMEOUT', micros: 2_500_000, key: 'k' }
    const { requests, run } = open(() => ok({ requests: [request], missing: [] }))
    expect((await run('trace', '--slowest', '--failed')).out).toMatch(/TRACE +WHEN[^]*aaaa +1970[^]*TIMEOUT +2500\.0 ms +k/)
    expect(requests[0]?.url).toContain('/v1/requests?order=slowest&limit=20&failed=1')
  })
})

const recording = headLine({ cluster: 'c1', madeAt: 1, nodes: ['n1', 'n2', 'n3'], missing: [], from: null, to: null })
  + journey.map(recordLine).join('')

describe('shardkv record', () => {
  test('writes what the nodes say, and names those that said nothing', async () => {
    const file = join(folder(), 'r.ndjson')
    const body = recording.replace('"missing":[]', '"missing":["n4"]')
    const { requests, run } = open(() => ({ status: 200, body }))
    expect(await run('record', file, '--seconds', '60')).toMatchObject({ code: 0, err: 'without n4, which did not answer\n' })
    expect(readFileSync(file, 'utf8')).toBe(body)
    expect(requests[0]?.url).toMatch(/\/v1\/recording\?from=\d+$/)
    await run('record', file, '--seconds', '60', '--kind', 'state, note')
    expect(requests[1]?.url).toMatch(/\/v1\/recording\?from=\d+&kind=state,note$/)
    const { code, err } = await run('record', file, '--kind', 'rumour')
    expect([code, err]).toEqual([2, expect.stringContaining('It is a list of state,')])
  })

  test('says whose part ends early, and so does the story of the file', async () => {
    const file = join(folder(), 'r.ndjson')
    const body = recording + recordLine(breachRecord({ node: 'n2', at: 60_000, seq: 9, records: 4 }))
      + recordLine(breachRecord({ node: 'n3', at: 70_000, seq: 1, records: 0 }))
      + recordLine(lossRecord({ node: 'n1', ring: 'story', at: 60_000, seq: 9, until: 80_000 }))
    const gaps = 'n2 only until 1970-01-01T00:01:00.000Z, since it stopped answering\nwithout n3, which stopped answering\n'
      + 'without states and notes of n1 from 1970-01-01T00:01:00.000Z to 1970-01-01T00:01:20.000Z, which were overwritten before they were '
      + 'read\n'
    const { run } = open(() => ({ status: 200, body }))
    expect(await run('record', file)).toMatchObject({ code: 0, err: gaps })
    expect((await run('replay', file)).out).toMatch(new RegExp(`^cluster c1[^\n]*\n${gaps}\n[^]* n2 +recorder +stopped answering: what`))
  })
})

describe('shardkv replay', () => {
  test.each<readonly [string, string, string]>([
    ['is not there', '', 'there is no file'],
    ['is something else', '{"hello":1}\n', 'is no recording of a version that is known'],
    ['has no list of who is missing', recording.replace('"missing":[],', ''), 'is no recording of a version that is known'],
    ['has a damaged line', recording.replace('"raft.append"', '7'), ':4 is no record'],
  ])('of a file that %s says so', async (_, content, message) => {
    const file = join(folder(), 'r.ndjson')
    if (content !== '') writeFileSync(file, content)
    const { code, err } = await open(() => ok({})).run('replay', file)
    expect([code > 0, err]).toEqual([true, expect.stringContaining(message)])
  })

  test('of a file whose head would speak to the terminal says no more than that', async () => {
    const file = join(folder(), 'r.ndjson')
    const heads = [
      recording.replace('"c1"', String.raw`"c\u001b]0;x\u0007"`), recording.replace('"n3"]', String.raw`"n\u009b2J"]`),
      recording.replace('"missing":[]', String.raw`"missing":["\u001b[2J"]`),
    ]
    for (const head of heads) {
      writeFileSync(file, head)
      expect(await open(() => ok({})).run('replay', file)).toMatchObject({ out: '', err: expect.stringContaining('is no recording') })
    }
  })

  test('tells states and notes, and with --all everything', async () => {
    const file = join(folder(), 'r.ndjson')
    writeFileSync(file, recording + recordLine(at(3_000, 'n2', 'raft/7', { kind: 'state', event: 'candidate', because: 'tick', term: 4 })))
    const run = async (...args: string[]) => (await open(() => ok({})).run('replay', file, ...args)).out
    expect(await run())
      .toMatch(/^cluster c1, nodes n1 n2 n3, from 1970[^\n]*\n\n +3\.000 +n2 +raft\/7 +stands for election, term 4: tick\n$/)
    expect(await run('--actor', 'nobody')).toMatch(/\nnone of its \d+ records is asked for; --all asks for every kind\n$/)
    expect((await run('--all', '--node', 'n2')).split('\n').slice(2, -1).map((line) => line.replaceAll(/  +/g, '  ').trim())).toEqual([
      '0.001  n2  raft/7  hears raft.append from n1 [aaaaaaaa]', '0.002  n2  raft/7  fsync (0.85 ms) [aaaaaaaa]',
      '0.002  n2  raft/7  sends raft.appendAccepted to n1 [aaaaaaaa]', '3.000  n2  raft/7  stands for election, term 4: tick',
    ])
  })
})

test('what many actors of a node do at once is one line', () => {
  const follow = (ms: number, node: string, shard: number) =>
    at(ms, node, `raft/${shard}`, { kind: 'note', event: 'follows n2', term: 3, shard })
  expect(storyOf([follow(0, 'n1', 10), follow(1, 'n1', 2), follow(2, 'n3', 2), follow(400, 'n1', 4)])).toMatchObject([
    { node: 'n1', who: 'raft/2 10', what: 'follows n2, term 3' }, { node: 'n3', who: 'raft/2' }, { node: 'n1', who: 'raft/4' },
  ])
})
