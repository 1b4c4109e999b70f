/** `shardkv load` from file to store: exactly once, resumable, bounded, and compared. */

import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { fakeCluster, fakeStore, fakeTerminal } from '../fakes.ts'
import type { FakeAnswer, FakeRequest } from '../fakes.ts'

const RECORDS = 500
const KEY = '{group}.{name}-{line}'

let folder = ''
let file = ''
const lines = Array.from({ length: RECORDS }, (_, i) => JSON.stringify({ group: `g${i % 7}`, name: `näme ${i}`, size: i }))

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shardkv-load-'))
  file = join(folder, 'records.json')
  writeFileSync(file, `[${lines.join(',\n')}]`)
})
afterEach(() => { rmSync(folder, { recursive: true }) })

const load = (answer: (request: FakeRequest) => FakeAnswer, ...args: string[]) => {
  const cluster = fakeCluster(answer)
  const terminal = fakeTerminal(cluster)
  return { cluster, terminal, run: () => terminal.run('load', file, '--key', KEY, ...args) }
}

test('every record is written once under its own key, with its own bytes, and the checkpoint is gone at the end', async () => {
  const store = fakeStore()
  const { run } = load(store.answer)
  const { code, out } = await run()
  expect(code).toBe(0)
  expect(out).toMatch(/^loaded 500 records in /)
  expect(store.values.size).toBe(RECORDS)
  expect(Buffer.from(store.values.get('g3.n%C3%A4me%203-4') ?? []).toString()).toBe(lines[3])
  expect(existsSync(`${file}.checkpoint`)).toBe(false)
})

test('-w json prints a line for each phase', async () => {
  const { run } = load(fakeStore().answer, '--verify', '-w', 'json')
  const [loaded, verified] = (await run()).out.trim().split('\n').map((line) => JSON.parse(line) as unknown)
  expect(loaded).toMatchObject({ phase: 'loaded', records: RECORDS, retries: 0, ms: expect.any(Number), perSecond: expect.any(Number) })
  expect(verified).toMatchObject({ phase: 'verified', records: RECORDS, mismatches: 0 })
})

test('lost answers, missing leaders and overload are retried, and still every record is written once', async () => {
  const store = fakeStore()
  let turn = 0
  const { run } = load((request) => {
    turn += 1
    if (turn % 5 === 0) return 'noResponders'
    const answer = store.answer(request)
    if (turn % 7 === 0) return 'timeout'
    return turn % 11 === 0 ? { status: 'OVERLOADED', headers: { 'Kv-Retry-After-Ms': '1' } } : answer
  })
  const { code, out } = await run()
  expect(code).toBe(0)
  expect(store.writes).toHaveLength(RECORDS)
  expect(Number(/, (\d+) retries/.exec(out)?.[1])).toBeGreaterThan(100)
})

test('never more records are on their way than --in-flight allows', async () => {
  const store = fakeStore()
  let now = 0
  let most = 0
  const cluster = fakeCluster(store.answer)
  const bus = {
    ...cluster.bus,
    request: ((subject, data, options, done) => {
      now += 1
      most = Math.max(most, now)
      cluster.bus.request(subject, data, options, (failure, answer) => {
        now -= 1
        done(failure, answer)
      })
    }) as typeof cluster.bus.request,
  }
  const terminal = fakeTerminal(cluster, { connect: async () => bus })
  expect((await terminal.run('load', file, '--key', KEY, '--in-flight', '9')).code).toBe(0)
  expect(most).toBe(9)
})

describe('an interrupted load', () => {
  test('stops on Ctrl-C with a checkpoint, and the next run writes only what is missing', async () => {
    const store = fakeStore()
    const first = load((request) => {
      if (store.writes.length === 200) first.terminal.interrupt()
      return store.answer(request)
    }, '--in-flight', '8')
    const stopped = await first.run()
    expect(stopped.code).toBe(1)
    expect(stopped.err).toContain('give the same command again')
    const { completed } = JSON.parse(readFileSync(`${file}.checkpoint`, 'utf8')) as { completed: number }
    expect(completed).toBeGreaterThanOrEqual(200)
    expect(completed).toBeLessThan(RECORDS)

    const second = load(store.answer)
    const resumed = await second.run()
    expect(resumed.code).toBe(0)
    expect(resumed.out).toContain(`loaded ${RECORDS - completed} records`)
    expect(store.writes).toHaveLength(RECORDS)
    expect(store.values.size).toBe(RECORDS)
  })

  test('records behind a stuck one are not claimed, and are sent again under the same request ids', async () => {
    const store = fakeStore()
    const stuck = '-50'
    const { run } = load((request) => (request.subject.endsWith(stuck) ? 'noResponders' : store.answer(request)),
      '--give-up-after', '100')
    const failed = await run()
    expect(failed.code).toBe(4)
    const { completed } = JSON.parse(readFileSync(`${file}.checkpoint`, 'utf8')) as { completed: number }
    expect(completed).toBe(49)
    expect(store.writes.length).toBeGreaterThan(49)
    expect((await load(store.answer).run()).code).toBe(0)
    expect(store.writes).toHaveLength(RECORDS)
  })

  test('a checkpoint of another file, template or kind is refused and kept', async () => {
    const dead = load(() => 'noResponders', '--give-up-after', '30')
    await dead.run()
    const kept = readFileSync(`${file}.checkpoint`, 'utf8')
    const { terminal } = load(fakeStore().answer)
    expect((await terminal.run('load', file, '--key', '{name}')).err).toContain(KEY)
    utimesSync(file, 1, 1)
    expect((await terminal.run('load', file, '--key', KEY)).err).toContain('another file')
    expect(readFileSync(`${file}.checkpoint`, 'utf8')).toBe(kept)
    writeFileSync(`${file}.checkpoint`, '{}')
    expect((await terminal.run('load', file, '--key', KEY)).err).toContain('no checkpoint')
  })

  test('a later load of the same file writes again', async () => {
    const store = fakeStore()
    let ids = 0
    const newId = (): string => (ids += 1).toString(16).padStart(16, '0')
    const terminal = fakeTerminal(fakeCluster(store.answer), { newId })
    await terminal.run('load', file, '--key', KEY)
    await terminal.run('load', file, '--key', KEY)
    expect(store.writes).toHaveLength(2 * RECORDS)
  })
})

describe('reading back', () => {
  test('--verify finds everything as it is in the file', async () => {
    const { run } = load(fakeStore().answer, '--verify')
    const { code, out } = await run()
    expect(code).toBe(0)
    expect(out).toContain('verified 500 records')
  })

  test('--verify-only names what differs or is missing, and is exit code 1', async () => {
    const store = fakeStore()
    await load(store.answer).run()
    store.values.set('g0.n%C3%A4me%200-1', Buffer.from('other'))
    store.values.delete('g1.n%C3%A4me%201-2')
    const writes = store.writes.length
    const { code, out, err } = await load(store.answer, '--verify-only').run()
    expect(code).toBe(1)
    expect(out).toContain('2 differ')
    expect(err).toContain('record 1: the value differs')
    expect(err).toContain('record 2: the key is not there')
    expect(store.writes).toHaveLength(writes)
  })
})

describe('what can not be loaded', () => {
  const cases: readonly (readonly [string, string, number, RegExp])[] = [
    ['a file that ends in the middle', '[{"group":"a","name":"b"},', 1, /ends in the middle/],
    ['a record without the key\'s field', '{"group":"a"}\n', 1, /record 1 has no text or number in "name"/],
    ['a line that is no JSON', '{"group":"a","name":"b"}\nnot json\n', 1, /record 2 is no JSON object/],
    ['a list as a record', '{"group":"a","name":"b"}\n[1]\n', 1, /record 2 is no JSON object/],
  ]
  for (const [name, text, code, message] of cases) {
    test(`${name} stops the load with its reason and what to do`, async () => {
      writeFileSync(file, text)
      const result = await load(fakeStore().answer).run()
      expect(result.code).toBe(code)
      expect(result.err).toMatch(message)
      expect(result.err).toMatch(/; mend that, remove \S+\.checkpoint, and load from the beginning\n$/)
      rmSync(`${file}.checkpoint`)
      writeFileSync(file, '{"group":"a","name":"b"}\n')
      expect((await load(fakeStore().answer).run()).code).toBe(0)
    })
  }

  test('a file that is not there, and a template that is none', async () => {
    const { terminal } = load(fakeStore().answer)
    expect(await terminal.run('load', join(folder, 'none'), '--key', KEY)).toMatchObject({ code: 1 })
    expect(await terminal.run('load', file, '--key', 'a.b.c')).toMatchObject({ code: 2 })
    expect(await terminal.run('load', file)).toMatchObject({ code: 2 })
  })

  test('what the cluster refuses for good stops the load', async () => {
    const { run } = load(() => ({ status: 'UNAUTHORIZED', headers: { 'Kv-Definite': 'true' } }))
    expect(await run()).toMatchObject({ code: 1 })
  })
})

test('progress is a bar on a terminal and a line now and then elsewhere', async () => {
  let now = 0
  const clock = { now: () => (now += 50), wall: () =>
    0, after: (ms: number, fn: () => void) => { const t = setTimeout(fn, ms); return () => clearTimeout(t) }, defer: setImmediate }
  const store = fakeStore()
  const bar = await fakeTerminal(fakeCluster(store.answer), { isErrorTty: true, clock }).run('load', file, '--key', KEY)
  expect(bar.err).toMatch(/\r\[#+\.*\] +\d+ % loading \d+ records/)
  const plain = await fakeTerminal(fakeCluster(store.answer), { clock }).run('load', file, '--key', KEY)
  expect(plain.err).toMatch(/\d+ % loading \d+ records/)
  expect(plain.err).not.toContain('\r')
})
