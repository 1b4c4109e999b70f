/** Every command, whatever it is called and whenever it was added: what its help must have. */

import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { shapesOf } from '../../cli/completion/shape.ts'
import { commandFirst, everyCommand } from '../../cli/leadingFlags.ts'
import { buildProgram } from '../../cli/program.ts'
import { otherName } from '../../cli/otherNames.ts'
import { splitLine } from '../../cli/repl/words.ts'
import { helpText } from '../../gateway/help.ts'
import { fakeCluster, fakeTerminal } from './fakes.ts'

const terminal = fakeTerminal(null)
const all = shapesOf(buildProgram(terminal.io, [])).filter(({ name }) => name !== 'help')
/** Members of a family under both their words: `member drain`. */
const commands = all.flatMap((shape) => (shape.commands.length === 0 ? [shape]
  : shape.commands.filter(({ name }) => name !== 'help').map((member) => ({ ...member, name: `${shape.name} ${member.name}` }))))
/** They print no data: the first two are processes, `completion` prints a program, `bench` has flags of its own. */
const withoutData: ReadonlySet<string> = new Set(['start', 'node', 'completion', 'bench'])

test('there are the commands that the documentation lists', () => {
  expect(commands.map(({ name }) => name).toSorted()).toEqual([
    'bench', 'cancel', 'cluster balance', 'cluster replicas', 'cluster show', 'completion', 'del', 'doctor', 'events', 'get',
    'incr', 'init', 'load', 'log level',
    'member activate', 'member add', 'member drain', 'member list', 'member remove', 'member weight', 'member zone', 'moves',
    'nats-config', 'node', 'pause', 'plan', 'put', 'record', 'repl', 'replay', 'resume', 'ring', 'shard list', 'shard move',
    'shard transfer', 'start', 'status', 'top', 'touch', 'trace', 'version',
  ])
})

describe.each(commands.map((command) => [command.name, command] as const))('shardkv %s', (name, { flags, description }) => {
  test('has an example in its help, and lines that a terminal shows whole', async () => {
    const { code, out } = await terminal.run(...name.split(' '), '--help')
    expect(code).toBe(0)
    expect(out).toMatch(new RegExp(`\\$ (?:source <\\()?shardkv ${name}`))
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120)
    expect(description.length).toBeLessThanOrEqual(75)
  })

  test('prints as -w says, if it prints data', () => {
    const format = flags.find(({ names }) => names.includes('-w'))
    expect(format?.takes?.choices.toSorted()).toEqual(withoutData.has(name) ? undefined : ['json', 'raw', 'table'])
  })

  test('says of every flag what it is for', () => {
    for (const flag of flags) expect(flag.description).toMatch(/.{8}/)
  })
})

/** What stands behind `$ shardkv` in a help: no pipes, redirections and remarks, each command of several. */
const examplesIn = (help: string): readonly string[] => [...help.matchAll(/\$ (?:source <\()?(shardkv .*)/g)]
  .flatMap(([, line = '']) => line.split(/ (?:&&|\|) /))
  .filter((line) => line.startsWith('shardkv '))
  .map((line) => line.replace(/ +# .*$/, '').replace(/ [<>] .*$/, '').replace(/^shardkv /, '').replace(/\)$/, ''))

test('every example of every help can be typed as it stands: its command, its flags and its arguments are there', async () => {
  const places = ['', ...all.filter((shape) => shape.commands.length > 0).map(({ name }) => name), ...commands.map(({ name }) => name)]
  const helps: string[] = []
  for (const name of places) helps.push((await terminal.run(...name.split(' ').filter(Boolean), '--help')).out)
  expect(helps.filter((help) => examplesIn(help).length === 0)).toEqual([])
  const examples = [...new Set(helps.flatMap(examplesIn))]
  expect(examples.length).toBeGreaterThan(60)
  for (const example of examples) {
    const program = buildProgram(fakeTerminal(null).io, [])
    let ran = 0
    for (const command of everyCommand(program)) if (command.commands.length === 0) command.action(() => { ran += 1 })
    const split = splitLine(example)
    const words = split.ok ? split.words : []
    await program.parseAsync([...commandFirst(words, program, true)], { from: 'user' })
      .catch((error: unknown) => { throw new Error(`"shardkv ${example}" can not be typed`, { cause: error }) })
    expect([example, ran]).toEqual([example, 1])
  }
})

test('what other programs call a command is told by its name here, at the shell and at the prompt', async () => {
  for (const [there, here] of [['set', 'put'], ['delete', 'del'], ['expire', 'touch'], ['nodes', 'member list'], ['health', 'doctor']]) {
    const { code, err } = await fakeTerminal(null).run(there ?? '', 'k', 'v')
    expect([code, err]).toEqual([2, `shardkv: "${there}" is "${here}" here; "shardkv ${here} --help" shows how\n`])
    expect(commands.map(({ name }) => name)).toContain(here)
  }
  const lines = ['server', 'set k v']
  const openPrompt = () => ({ ask: async () => lines.shift() ?? null, close: () => {} })
  const atPrompt = await fakeTerminal(fakeCluster(() => 'timeout'), { openPrompt }).run('repl')
  expect(atPrompt).toMatchObject({ code: 2, err: expect.stringContaining('error: "set" is "put" here; "help put" tells more\n') })
  expect(atPrompt.err).toContain('error: "server" is no command here; "help" lists them\n')
  expect(commands.filter(({ name }) => otherName(name) !== null)).toEqual([])
})

test('the help of all has no group of leftovers', async () => {
  expect((await fakeTerminal(null).run('--help')).out).toMatch(/This program:\n(?: {2}.*\n)*? {2}help \[command\]/)
})

test('kv.help fits 100 columns and names every operation and header of the prefix', () => {
  const text = helpText('data')
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
  for (const word of ['get', 'put', 'del', 'incr', 'touch'].map((op) => `data.${op}.<key>`)) expect(text).toContain(word)
  for (const word of ['data.map', 'data.status', 'data.help', 'Kv-If-Revision', 'Kv-Ttl-Ms', 'Kv-Request-Id', 'Kv-Consistency',
    'Kv-Timeout-Ms', 'traceparent', 'Kv-Status', 'Kv-Definite']) expect(text).toContain(word)
  expect(text).not.toContain('kv.')
})

test('wherever request ids are told of, it says that an id names one write, and what becomes of another', async () => {
  expect(helpText('kv')).toMatch(/Kv-Request-Id +names one write: .*\n +another write under it, in the same shard, gets REQUEST_ID_REUSED/)
  for (const name of ['put', 'del', 'incr', 'touch']) {
    const help = (await terminal.run(name, '--help')).out.replaceAll(/\s+/g, ' ')
    expect(help).toContain('another write under it, in the same shard, is refused with REQUEST_ID_REUSED')
    expect(help).toContain('never export SHARDKV_REQUEST_ID')
  }
  for (const page of ['SUBJECTS', 'GUARANTEES', 'NATS']) {
    const text = readFileSync(`docs/${page}.md`, 'utf8').replaceAll(/\s+/g, ' ')
    expect(text).toMatch(/an id names one write.{1,4}another write under it.{1,150}in the same shard, is refused with `?REQUEST_ID_REUSED/i)
  }
})

test('in docs/NATS.md an id stands for one write: a program draws its own, and a command that has another one\'s is that one', () => {
  const blocks = [...readFileSync('docs/NATS.md', 'utf8').matchAll(/```(\w+)\n(.*?)```/gs)]
  const programs = blocks.filter(([, language]) => language !== 'sh').map(([, , text = '']) => text)
  expect(programs.filter((text) => /Kv.Request.Id/.test(text))).toHaveLength(3)
  expect(programs.filter((text) => /Kv.Request.Id["']?\s*[=:]\s*["']/.test(text))).toEqual([])
  const commands = new Map<string, Set<string>>()
  for (const [, , text = ''] of blocks.filter(([, language]) => language === 'sh')) {
    for (const [line, id = ''] of text.matchAll(/^.*Kv-Request-Id:(\S+).*$/gm)) commands.set(id, (commands.get(id) ?? new Set()).add(line))
  }
  expect([...commands].map(([id, lines]) => [/^[0-9a-f-]{36}$/.test(id), lines.size])).toEqual([[true, 1]])
})
