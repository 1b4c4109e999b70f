/** Flags before the command, as people who use other programs write them. */

import { describe, expect, test } from '@jest/globals'
import { commandFirst, everyCommand } from '../../cli/leadingFlags.ts'
import { buildProgram } from '../../cli/program.ts'
import { fakeCluster, fakeStore, fakeTerminal } from './fakes.ts'

const program = buildProgram(fakeTerminal(null).io, [])
const reordered = (line: string, isInteractive = false): string =>
  commandFirst(line.split(' ').filter(Boolean), program, isInteractive).join(' ')

describe('a command line', () => {
  test.each<readonly [string, string]>([
    ['--servers nats://h get k', 'get --servers nats://h k'],
    ['--servers=nats://h -w json get k --partition p', 'get --servers=nats://h -w json k --partition p'],
    ['-wjson status', 'status -wjson'],
    ['-x put k', 'put -x k'],
    ['--admin http://h:1 member drain n2 --wait', 'member drain --admin http://h:1 n2 --wait'],
    ['member --admin http://h:1 list', 'member list --admin http://h:1'],
    ['--servers nats://h bench put --inflight 4', 'bench put --servers nats://h --inflight 4'],
    ['--help get', 'get --help'],
    ['--no-such get k', 'get --no-such k'],
    ['--no-such X get k', 'get --no-such X k'],
    ['--partition get get k', 'get --partition get k'],
    ['-V', 'version'],
    ['--version', 'version'],
    ['--servers nats://h --version', 'version'],
    ['--nats-password -V get k', 'get --nats-password -V k'],
    ['--nats-user --version -V', 'version'],
    ['get k --servers nats://h', 'get k --servers nats://h'],
    ['put k -- -v', 'put k -- -v'],
    ['--help', '--help'],
    ['help', 'help'],
    ['help get', 'get --help'],
    ['help member drain', 'member drain --help'],
    ['member help drain', 'member drain --help'],
    ['nosuch k', 'nosuch k'],
    ['nosuch --help', 'nosuch'],
    ['help nosuch', 'nosuch'],
    ['help member nosuch', 'member nosuch'],
    ['member nosuch -h', 'member nosuch'],
    ['', ''],
  ])('%j is %j', (line, expected) => {
    expect(reordered(line)).toBe(expected)
  })

  test('without a command is the prompt for a person, and left to the help for a script', () => {
    expect(['', '--servers nats://h', '--nats-password -h', '--help', 'nosuch'].map((line) => reordered(line, true)))
      .toEqual(['repl', 'repl --servers nats://h', 'repl --nats-password -h', '--help', 'nosuch'])
    expect(reordered('--servers nats://h')).toBe('--servers nats://h')
  })
})

test('a flag takes a value in every command that has it, or in none', () => {
  const seen = new Map<string, boolean>()
  for (const { options } of everyCommand(program)) {
    for (const { long, short, required, optional } of options) {
      for (const name of [long, short].filter((each) => typeof each === 'string')) {
        expect([name, seen.get(name) ?? (required || optional)]).toEqual([name, required || optional])
        seen.set(name, required || optional)
      }
    }
  }
})

test('shardkv --prefix X get k is the same as shardkv get k --prefix X, and wrong flags are told with their command', async () => {
  const store = fakeStore()
  const cluster = fakeCluster(store.answer)
  const terminal = fakeTerminal(cluster)
  expect(await terminal.run('--prefix', 'mine', 'put', 'k', 'v')).toMatchObject({ code: 0 })
  const read = await terminal.run('--prefix', 'mine', '-w', 'json', 'get', 'k')
  expect(read).toMatchObject({ code: 0, out: expect.stringContaining('"value":"v"') })
  expect(cluster.requests.map(({ subject }) => subject)).toEqual(['mine.put.k', 'mine.get.k'])
  expect(await terminal.run('--server', 'nats://h', 'get', 'k')).toMatchObject({ code: 2, err: expect.stringContaining('--servers') })
  expect(await terminal.run('--version')).toMatchObject({ code: 0, out: expect.stringMatching(/^shardkv 1\.2\.3/) })
  expect(await terminal.run('--help')).toMatchObject({ code: 0, out: expect.stringContaining('-V, --version') })
})

test('help of what is no command is wrong use, and says so', async () => {
  for (const words of [['help', 'nosuch'], ['nosuch', '--help'], ['help', 'member', 'nosuch'], ['member', 'nosuch', '--help']]) {
    const { code, out, err } = await fakeTerminal(null).run(...words)
    expect([words, code, out, err]).toEqual([words, 2, '', expect.stringContaining('unknown command \'nosuch\'')])
  }
  expect(await fakeTerminal(null).run('help', 'set')).toMatchObject({ code: 2, err: expect.stringContaining('"set" is "put" here') })
  const { code, out } = await fakeTerminal(null).run('help', 'member', 'drain')
  expect([code, out]).toEqual([0, expect.stringMatching(/^Usage: shardkv member drain/)])
})
