/** The completion scripts, loaded by the shells they are for: what Tab offers at the end of a line. */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { fakeTerminal } from './fakes.ts'

const hasZsh = spawnSync('zsh', ['--version']).status === 0

const scriptOf = async (shell: string): Promise<string> => (await fakeTerminal(null).run('completion', shell)).out

describe('bash', () => {
  let script = ''
  beforeAll(async () => { script = await scriptOf('bash') })

  /** The last word is the one that is being typed. */
  const complete = (...words: readonly string[]): readonly string[] => {
    const quoted = words.map((word) => `'${word}'`).join(' ')
    const { stdout, stderr, status } = spawnSync('bash', ['--norc', '--noprofile', '-c', [
      script,
      'complete -p shardkv >/dev/null || exit 1',
      `COMP_WORDS=(shardkv ${quoted}); COMP_CWORD=${words.length}`,
      '_shardkv',
      'printf "%s\\n" "${COMPREPLY[@]}"',
    ].join('\n')], { encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
    return stdout.split('\n').filter((line) => line !== '')
  }

  test.each<readonly [readonly string[], readonly string[]]>([
    [['to'], ['touch', 'top']],
    [['get', '--cons'], ['--consistency']],
    [['get', 'k', '--consistency', 'l'], ['linearizable', 'lease']],
    [['status', '-w', ''], ['json', 'table', 'raw']],
    [['completion', ''], ['bash', 'zsh']],
    [['help', 'nats'], ['nats-config']],
    [['load', 'package.j'], ['package.json']],
    [['load', '--checkpoint', 'package-l'], ['package-lock.json']],
    [['put', '--servers', ''], []],
    [['get', ''], []],
    [['nosuch', ''], []],
    [['member', 'ac'], ['activate']],
    [['member', 'drain', '--f'], ['--force']],
    [['shard', 'list', '-w', ''], ['json', 'table', 'raw']],
    [['member', 'list', ''], []],
    [['--servers', 'nats', ':', '//h', ':', '4222', 'to'], ['touch', 'top']],
    [['--servers', '=', 'nats', ':', '//h', 'to'], ['touch', 'top']],
    [['--tlsfirst', '-w', 'json', 'get', '--cons'], ['--consistency']],
    [['--admin', 'http', ':', '//h', 'member', 'ac'], ['activate']],
    [['--servers', ''], []],
  ])('%j completes to %j', (words, expected) => {
    expect(complete(...words)).toEqual(expected)
  })

  test('offers every command', async () => {
    const { err, out } = await fakeTerminal(null).run('--help')
    expect(err).toBe('')
    for (const name of complete('')) expect(out).toContain(`  ${name} `)
    expect(complete('').length).toBeGreaterThan(15)
  })
});

(hasZsh ? describe : describe.skip)('zsh', () => {
  test('takes the script, and completes through it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'shardkv-zsh-'))
    try {
      writeFileSync(join(folder, '_shardkv'), await scriptOf('zsh'))
      const args = ['-f', '-c', inTerminal, 'zsh', join(folder, '_shardkv')]
      const { stdout, status } = spawnSync('zsh', args, { encoding: 'utf8', timeout: 20_000 })
      expect([status, stdout]).toEqual([0, ''])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

/** A terminal of its own, as zsh's completion asks for one: what is awaited is what Tab then shows. */
const inTerminal = [
  'zmodload zsh/zpty',
  'zpty shell zsh -f -i',
  'await() { local all= part',
  '  repeat 400; do zpty -r -t shell part && all+=$part; [[ $all == *$1* ]] && return 0; sleep 0.02; done',
  '  print -r -- "$all"; return 1 }',
  'zpty -w shell "PS1=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source $1; print re\'\'ady"',
  'await ready || exit 3',
  'zpty -n -w shell "shardkv get k --consistency l"$\'\\t\\t\'',
  'await linearizable || exit 4',
  'zpty -n -w shell $\'\\C-u\'"shardkv compl"$\'\\t\'',
  'await completion || exit 5',
  'zpty -n -w shell $\'\\C-u\'"shardkv member drain --wa"$\'\\t\'',
  'await "show the progress" || exit 6',
].join('\n')
