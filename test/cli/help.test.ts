/** Every command, whatever it is called and whenever it was added: what its help must have. */

import { describe, expect, test } from '@jest/globals'
import { shapesOf } from '../../cli/completion/shape.ts'
import { buildProgram } from '../../cli/program.ts'
import { helpText } from '../../gateway/help.ts'
import { fakeTerminal } from './fakes.ts'

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

test('kv.help fits 100 columns and names every operation and header of the prefix', () => {
  const text = helpText('data')
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
  for (const word of ['get', 'put', 'del', 'incr', 'touch'].map((op) => `data.${op}.<key>`)) expect(text).toContain(word)
  for (const word of ['data.map', 'data.status', 'data.help', 'Kv-If-Revision', 'Kv-Ttl-Ms', 'Kv-Request-Id', 'Kv-Consistency',
    'Kv-Timeout-Ms', 'traceparent', 'Kv-Status', 'Kv-Definite']) expect(text).toContain(word)
  expect(text).not.toContain('kv.')
})
