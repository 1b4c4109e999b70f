/** The interactive mode: lines, quoting, Tab, history, Ctrl-C and Ctrl-D, at a real line editor on streams. */

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { shapesOf } from '../../cli/completion/shape.ts'
import { buildProgram } from '../../cli/program.ts'
import { completeLine } from '../../cli/repl/complete.ts'
import { HISTORY_LINES_MAX, historyPath, openHistory } from '../../cli/repl/history.ts'
import { openPrompt } from '../../cli/repl/prompt.ts'
import { splitLine } from '../../cli/repl/words.ts'
import { createLocalFiles } from '../../storage/localFiles.ts'
import { until } from '../support/until.ts'
import { fakeCluster, fakeStore, fakeTerminal } from './fakes.ts'
import type { FakeAnswer, FakeRequest } from './fakes.ts'

let folder = ''
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'shardkv-repl-')) })
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a line', () => {
  test.each<readonly [string, readonly string[]]>([
    ['put k v', ['put', 'k', 'v']],
    ['  put\tk   v ', ['put', 'k', 'v']],
    ['', []],
    ['put k ""', ['put', 'k', '']],
    ['put k \'a "b" \\n\'', ['put', 'k', 'a "b" \\n']],
    ['put k "a \\"b\\"\\n"', ['put', 'k', 'a "b"\n']],
    ['put k a\\ b', ['put', 'k', 'a b']],
    ['put k pre\'mid\'"post"', ['put', 'k', 'premidpost']],
  ])('%j is %j', (line, words) => {
    expect(splitLine(line)).toEqual({ ok: true, words })
  })

  test.each(['put k "open', 'put k \'open', 'put k end\\'])('%j is not finished', (line) => {
    expect(splitLine(line)).toMatchObject({ ok: false })
  })
})

describe('Tab', () => {
  const vocabulary = {
    commands: shapesOf(buildProgram(fakeTerminal(null).io, [])), extra: ['exit'], keys: () => ['user1', 'user2', 'visits'],
  }
  test.each<readonly [string, readonly string[], string]>([
    ['to', ['top ', 'touch '], 'to'],
    ['ex', ['exit '], 'ex'],
    ['get us', ['user1 ', 'user2 '], 'us'],
    ['get user1 --cons', ['--consistency '], '--cons'],
    ['get user1 --consistency l', ['lease ', 'linearizable '], 'l'],
    ['help nats', ['nats-config '], 'nats'],
    ['nosuch ', [], ''],
    ['get user1 x', [], 'x'],
  ])('after %j offers %j', (line, candidates, fragment) => {
    expect(completeLine(line, vocabulary)).toEqual([candidates, fragment])
  })
})

describe('the history', () => {
  const files = createLocalFiles()

  test('is for its owner\'s eyes, forgets the oldest, and keeps no line that starts with a blank or repeats the last', async () => {
    const path = join(folder, 'kept')
    writeFileSync(path, `${Array.from({ length: HISTORY_LINES_MAX }, (_, i) => `old ${i}`).join('\n')}\n`, { mode: 0o644 })
    const history = await openHistory(files, path)
    expect(history.lines).toHaveLength(HISTORY_LINES_MAX)
    for (const line of ['get a', 'get a', ' put secret x', '', 'get b']) history.add(line)
    await history.save()
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    expect([lines.length, lines[0], ...lines.slice(-2)]).toEqual([HISTORY_LINES_MAX, 'old 2', 'get a', 'get b'])
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('of two sessions at once loses no line', async () => {
    const path = join(folder, 'shared')
    const [one, two] = [await openHistory(files, path), await openHistory(files, path)]
    one.add('from one')
    two.add('from two')
    await one.save()
    await two.save()
    expect(readFileSync(path, 'utf8')).toBe('from one\nfrom two\n')
  })

  test('that is saved twice has each line once, and the second waits for the first', async () => {
    const path = join(folder, 'twice')
    const history = await openHistory(files, path)
    history.add('get a')
    const first = history.save()
    await history.save()
    expect(readFileSync(path, 'utf8')).toBe('get a\n')
    await first
    history.add('get b')
    await history.save()
    expect(readFileSync(path, 'utf8')).toBe('get a\nget b\n')
  })

  test('is where the environment says, or nowhere', async () => {
    expect([{ HOME: '/h' }, { HOME: '/h', SHARDKV_HISTORY: '/x' }, { HOME: '/h', SHARDKV_HISTORY: '' }, {}]
      .map(historyPath)).toEqual(['/h/.shardkv_history', '/x', null, null])
    const nowhere = await openHistory(files, join(folder, 'no', 'such', 'folder'))
    nowhere.add('get a')
    await expect(nowhere.save()).resolves.toBeUndefined()
  })
})

const CTRL_C = '\u0003'
const CTRL_D = '\u0004'

/** A session at a keyboard. */
const openSession = (answer: (request: FakeRequest) => FakeAnswer, { isInputTty = true, historyFile = '' } = {}) => {
  const [input, output] = [new PassThrough(), new PassThrough()]
  let screen = ''
  output.on('data', (chunk: Buffer) => { screen += chunk.toString() })
  const cluster = fakeCluster(answer)
  const terminal = fakeTerminal(cluster, {
    isInputTty,
    env: { SHARDKV_HISTORY: historyFile },
    openPrompt: (options) => openPrompt({ input, output, isTty: isInputTty }, options),
  })
  const ended = terminal.run('repl', '--timeout', '60s')
  return {
    cluster, ended, kill: terminal.kill,
    type: (text: string): void => { input.write(text) },
    finish: (): void => { input.end() },
    screen: () => screen,
    shows: (text: string): Promise<void> => until(() => screen.includes(text), `the screen shows ${text}`),
  }
}

describe('a session', () => {
  test('runs lines on one connection, tells errors where they happen, and ends with Ctrl-D', async () => {
    const store = fakeStore()
    const { type, shows, ended, cluster } = openSession(store.answer)
    await shows('fake> ')
    type('put user1 "Ada L"\rget user1\rget nobody\rfetch user1\rput k \'open\r')
    await until(() => cluster.requests.length === 3, 'three requests were made')
    type(CTRL_D)
    const { code, out, err } = await ended
    expect(code).toBe(0)
    expect(out).toBe('1\nAda L\n')
    expect(err).toContain('error: there is no such key\n')
    expect(err).toContain('error: "fetch" is no command here; "help" lists them\n')
    expect(err).toContain('error: a quote is not closed')
    expect(cluster.isClosed).toBe(true)
  })

  test('Tab completes a key that a line has named', async () => {
    const { type, shows, ended, cluster } = openSession(fakeStore().answer)
    await shows('fake> ')
    type('put user1 Ada\r')
    await until(() => cluster.requests.length === 1, 'the put was made')
    type('get us\t')
    await shows('get user1 ')
    type(`\r`)
    await until(() => cluster.requests.length === 2, 'the get was made')
    type(CTRL_D)
    expect((await ended).out).toBe('1\nAda\n')
  })

  test('has the lines of earlier ones under the arrow keys', async () => {
    const historyFile = join(folder, 'recalled')
    writeFileSync(historyFile, 'get older\nget newest\n')
    const { type, shows, ended, cluster } = openSession(fakeStore().answer, { historyFile })
    await shows('fake> ')
    type('\u001B[A\u001B[A')
    await shows('get older')
    type('\r')
    await until(() => cluster.requests.length === 1, 'the recalled line ran')
    type(CTRL_D)
    await ended
    expect(cluster.requests[0]?.subject).toBe('kv.get.older')
    expect(readFileSync(historyFile, 'utf8')).toBe('get older\nget newest\nget older\n')
  })

  test('whose process is told to end, or whose terminal is closed, keeps its lines', async () => {
    const historyFile = join(folder, 'killed')
    const { type, shows, ended, cluster, kill } = openSession(fakeStore().answer, { historyFile })
    await shows('fake> ')
    type('put user1 Ada\r')
    await until(() => cluster.requests.length === 1, 'the put was made')
    await kill()
    expect(readFileSync(historyFile, 'utf8')).toBe('put user1 Ada\n')
    type(CTRL_D)
    await ended
    expect(readFileSync(historyFile, 'utf8')).toBe('put user1 Ada\n')
  })

  test('Ctrl-C clears the line', async () => {
    const { type, shows, ended, cluster } = openSession(fakeStore().answer)
    await shows('fake> ')
    type(`del user1${CTRL_C}`)
    await shows('^C')
    type(`put k v\r`)
    await until(() => cluster.requests.length > 0, 'a request was made')
    type(CTRL_D)
    await ended
    expect(cluster.requests.map(({ subject }) => subject)).toEqual(['kv.put.k'])
  })

  test('Ctrl-C stops waiting for an answer that does not come', async () => {
    const { type, shows, ended, cluster } = openSession(() => 'timeout')
    await shows('fake> ')
    type('put k v\r')
    await until(() => cluster.requests.length > 0, 'the put was sent')
    type(CTRL_C)
    type(`exit\r`)
    const { code, err } = await ended
    expect(code).toBe(0)
    expect(err).toContain('no longer waiting for it; a write may yet happen\n')
  })

  test('help lists the commands and tells more about one', async () => {
    const { type, shows, ended } = openSession(fakeStore().answer)
    await shows('fake> ')
    type('help\rhelp incr\rhelp member drain\rhelp set\rhelp me\rexit\r')
    const { out, err } = await ended
    expect(out).toMatch(/ {2}put <key> \[value\] +writes a value/)
    expect(out).not.toContain('  start')
    expect(out).toContain('Usage: shardkv incr [options] <key> [amount]')
    expect(out).toContain('Usage: shardkv member drain [options] <node>')
    expect(err).toContain('"set" is "put" here; "help put" tells more')
    expect(err).toContain('"me" is no command here')
  })

  test('of a file of lines ends with the code of what failed, and skips comments', async () => {
    const { type, finish, ended } = openSession(fakeStore().answer, { isInputTty: false })
    type('# set up\nput a 1\nget nobody\nput b 2\n')
    finish()
    const { code, out, err } = await ended
    expect([code, out]).toEqual([3, '1\n2\n'])
    expect(err).toBe('error: there is no such key\nshardkv: not every line succeeded\n')
  })

  test('takes flags before the command, as the shell does', async () => {
    const { type, finish, ended, cluster } = openSession(fakeStore().answer, { isInputTty: false })
    type('put a 1\n-w json get a\n--partition p --write-out=json put k v\n-w json\n')
    finish()
    const { code, out, err } = await ended
    expect([code, out]).toEqual([2, expect.stringMatching(/^1\n\{"key":"a",.*"value":"1"\}\n\{"key":"\{p\}k",.*\}\n$/)])
    expect(err).toContain('error: "-w" is no command here')
    expect(cluster.requests.map(({ subject }) => subject)).toEqual(['kv.put.a', 'kv.get.a', 'kv.put.p.k'])
  })

  test('-x makes no sense at a prompt, and says so', async () => {
    const { type, finish, ended } = openSession(fakeStore().answer, { isInputTty: false })
    type('put a -x\n')
    finish()
    expect(await ended).toMatchObject({ code: 2, err: expect.stringContaining('give the value itself') })
  })
})
