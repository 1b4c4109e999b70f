/** A campaign of chaos that somebody ends by a signal to it alone: its brokers and nodes end with it. */

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { ChildProcess } from 'node:child_process'

const BEGINS_MS_MAX = 60_000
const ENDS_MS_MAX = 10_000
/** One broker and three nodes at least. */
const CHILDREN_MIN = 4
const onLinux = process.platform === 'linux' ? test : test.skip

let campaign: ChildProcess | undefined
let children: readonly number[] = []
let directory = ''

afterEach(() => {
  campaign?.kill('SIGKILL')
  for (const pid of children) if (!isOver(pid)) process.kill(pid, 'SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

const until = async (what: string, ms: number, isSo: () => boolean): Promise<void> => {
  const deadline = performance.now() + ms
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise((wake) => { setTimeout(wake, 50) })
  }
}

/** A line of /proc/PID/stat: the state and the parent come after the name, which is in parentheses. */
const statOf = (pid: number): { readonly state: string; readonly parent: number } | null => {
  try {
    const [state = '', parent = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')
    return { state, parent: Number(parent) }
  } catch {
    return null
  }
}

const childrenOf = (pid: number): number[] =>
  readdirSync('/proc').map(Number).filter((other) => Number.isInteger(other) && statOf(other)?.parent === pid)

const isOver = (pid: number): boolean => (statOf(pid)?.state ?? 'Z') === 'Z'

describe('a campaign of chaos', () => {
  onLinux.each([['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const)(
    'that is told to end by %s takes its brokers and nodes along',
    async (signal, exitCode) => {
      directory = mkdtempSync(join(tmpdir(), 'shardkv-chaos-ended-'))
      const child = spawn(process.execPath, ['bin/chaos.mjs', '--runs', '1', '--seconds', '60', '--nodes', '3', '--brokers', '1'], {
        stdio: 'ignore', env: { ...process.env, TMPDIR: directory, SHARDKV_FIGURES: directory },
      })
      campaign = child
      let code: number | null = null
      child.once('exit', (ended) => { code = ended })
      const pid = child.pid ?? 0
      await until('nodes run', BEGINS_MS_MAX, () => childrenOf(pid).length >= CHILDREN_MIN)
      children = childrenOf(pid)
      child.kill(signal)
      await until('the campaign and its children ended', ENDS_MS_MAX, () => code !== null && children.every(isOver))
      expect(code).toBe(exitCode)
    },
  )
})
