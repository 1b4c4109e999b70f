/** Real child processes: groups, logs, guards. Every process is gone at the end of its test. */

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { createLocalFiles } from '../../../storage/localFiles.ts'
import { createProcesses } from '../../../topology/launcher/processes.ts'
import type { ProcessExit, ProcessSpec } from '../../../topology/launcher/processes.ts'

const DEADLINE_MS = 15_000

let folder = ''
let pids: number[] = []
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'shardkv-processes-')) })
afterEach(() => {
  for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGKILL')
  pids = []
  rmSync(folder, { recursive: true })
})

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const until = async (what: string, isSo: () => boolean): Promise<void> => {
  const deadline = performance.now() + DEADLINE_MS
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`)
    await new Promise((wake) => { setTimeout(wake, 10) })
  }
}

const spec = (script: string, fields: Partial<ProcessSpec> = {}): ProcessSpec => ({
  program: process.execPath, args: ['-e', script], env: process.env, logPath: join(folder, 'log'), isGuarded: false, ...fields,
})
const logText = (): string => readFileSync(join(folder, 'log'), 'utf8')

const start = async (what: ProcessSpec) => {
  const exits: ProcessExit[] = []
  const running = await createProcesses(createLocalFiles()).start(what, (exit) => { exits.push(exit) })
  if (running.pid !== undefined) pids.push(running.pid)
  return { running, exits, ended: () => until('the exit', () => exits.length > 0) }
}

test('a child writes both outputs to its log, knows that it is supervised, and its exit code arrives', async () => {
  const child = await start(spec('console.log("out", process.env.SHARDKV_SUPERVISED); console.error("err"); process.exit(78)'))
  await child.ended()
  expect(child.exits).toEqual([{ code: 78, signal: null }])
  expect(logText()).toBe('out 1\nerr\n')
})

test('a child leads a process group of its own, so that Ctrl-C does not reach it first', async () => {
  const child = await start(spec('setInterval(() => {}, 1000); console.log("up")'))
  await until('the child', () => logText().includes('up'))
  expect(() => process.kill(-(child.running.pid ?? 0), 0)).not.toThrow()
  child.running.signal('SIGTERM')
  await child.ended()
  expect(child.exits).toEqual([{ code: null, signal: 'SIGTERM' }])
})

test('a program that does not exist is an exit with code 127', async () => {
  const child = await start(spec('', { program: '/no/such/program' }))
  await child.ended()
  expect([child.running.pid, child.exits]).toEqual([undefined, [{ code: 127, signal: null }]])
})

test('a guarded child that ends takes its guard along', async () => {
  const child = await start(spec('setTimeout(() => {}, 50)', { isGuarded: true }))
  await child.ended()
  expect(child.exits).toEqual([{ code: 0, signal: null }])
})

test('a log whose folder was removed is there again', async () => {
  const child = await start(spec('console.log("up")', { logPath: join(folder, 'logs', 'deep', 'log') }))
  await child.ended()
  expect([child.running.logProblem, readFileSync(join(folder, 'logs', 'deep', 'log'), 'utf8')]).toEqual([undefined, 'up\n'])
})

test('a child whose log can not be opened runs without one, and it is said why', async () => {
  writeFileSync(join(folder, 'logs'), 'in place of the folder')
  const child = await start(spec('console.log("up"); process.exit(3)', { logPath: join(folder, 'logs', 'log') }))
  await child.ended()
  expect([child.running.logProblem, child.exits]).toEqual([expect.stringContaining('EEXIST'), [{ code: 3, signal: null }]])
})

/** A launcher in a process of its own, so that it can be killed: one broker that ignores its input, one node that heeds it. */
const launcherScript = (modules: string): string => `
  import { createLocalFiles } from '${modules}/storage/localFiles.js'
  import { createProcesses } from '${modules}/topology/launcher/processes.js'
  const processes = createProcesses(createLocalFiles())
  const start = (script, log, isGuarded) => processes.start(
    { program: process.execPath, args: ['-e', script], env: process.env, logPath: log, isGuarded }, () => {})
  const broker = await start('setInterval(() => {}, 1000)', process.argv[2] + '/broker.log', true)
  const node = await start('process.stdin.resume().on("end", () => setTimeout(process.exit, 300))', process.argv[2] + '/node.log', false)
  console.log(JSON.stringify([broker.pid, node.pid]))
`

test('nobody is left when the launcher is killed with -9: nodes drain, then the broker is stopped', async () => {
  const { transformSync } = await import('@swc/core')
  for (const path of ['storage/localFiles', 'topology/launcher/processes']) {
    const code = transformSync(readFileSync(`${path}.ts`, 'utf8'),
      { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' } })
    await createLocalFiles().makeDirectory(join(folder, path, '..'))
    writeFileSync(join(folder, `${path}.js`), code.code)
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'launcher.js'), launcherScript('.'))
  const launcher = spawn(process.execPath, [join(folder, 'launcher.js'), folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  launcher.stdout.on('data', (chunk: Buffer) => { printed += chunk.toString() })
  await until('both children', () => printed.includes('\n'))
  const [broker = 0, node = 0] = JSON.parse(printed) as number[]
  pids.push(broker, node)
  expect([isAlive(broker), isAlive(node)]).toEqual([true, true])
  launcher.kill('SIGKILL')
  await until('the node to drain', () => !isAlive(node))
  await until('the broker to stop', () => !isAlive(broker))
})
