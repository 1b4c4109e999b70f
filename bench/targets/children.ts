/**
 * Server processes of a target that is not the product: started with their output in a log file, awaited by a line in it, and gone
 * with the bench however that ends (topology/launcher/processes.ts).
 */

import { setTimeout as pause } from 'node:timers/promises'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { createLocalFiles } from '../../storage/localFiles.ts'
import { createProcesses } from '../../topology/launcher/processes.ts'
import type { LocalFiles } from '../../storage/localFiles.ts'
import type { Processes } from '../../topology/launcher/processes.ts'

const STARTS_WITHIN_MS = 30_000
const POLL_MS = 50
const STOP_WITHIN_MS = 10_000

export interface ChildSpec {
  readonly name: string
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  /** It is ready when its log holds this. */
  readonly readyLine: string
  /** True for a program that does not end with its standard input. */
  readonly isGuarded: boolean
}

export interface ChildGroup {
  /** A directory of the group's own, removed by `stop`. */
  readonly directory: string
  readonly files: LocalFiles
  /** Starts them side by side; resolves with their process ids when all are ready. */
  readonly start: (specs: readonly ChildSpec[]) => Promise<Readonly<Record<string, number>>>
  /** SIGTERM, after a while SIGKILL; last started first. */
  readonly stop: () => Promise<void>
}

interface Child {
  readonly signal: (name: 'SIGTERM' | 'SIGKILL') => void
  readonly ended: Promise<void>
  readonly hasEnded: () => boolean
}

let groups = 0

export const createChildGroup = async (name: string): Promise<ChildGroup> => {
  const files = createLocalFiles()
  groups += 1
  const directory = join(tmpdir(), `shardkv-bench-${name}-${process.pid}-${groups}`)
  await files.makeDirectory(directory)
  const processes = createProcesses(files)
  const children: Child[] = []
  const stop = async (): Promise<void> => {
    for (const child of children.splice(0).reverse()) await stopChild(child)
    await files.remove(directory)
  }
  return {
    directory,
    files,
    start: async (specs) => {
      const started = await Promise.all(specs.map((spec) => startChild({ processes, files, directory, children }, spec)))
      return Object.fromEntries(started)
    },
    stop,
  }
}

interface Group {
  readonly processes: Processes
  readonly files: LocalFiles
  readonly directory: string
  readonly children: Child[]
}

const startChild = async ({ processes, files, directory, children }: Group, spec: ChildSpec): Promise<readonly [string, number]> => {
  const logPath = join(directory, `${spec.name}.log`)
  let hasEnded = false
  let end: () => void = () => {}
  const ended = new Promise<void>((resolve) => { end = resolve })
  const running = await processes.start({
    program: spec.program, args: spec.args, env: { ...process.env, ...spec.env }, logPath, isGuarded: spec.isGuarded,
  }, () => {
    hasEnded = true
    end()
  })
  children.push({ signal: running.signal, ended, hasEnded: () => hasEnded })
  const deadline = performance.now() + STARTS_WITHIN_MS
  while (!(await files.readText(logPath) ?? '').includes(spec.readyLine)) {
    if (hasEnded || performance.now() > deadline) {
      throw new Error(`${spec.name} (${spec.program}) does not start:\n${(await files.readText(logPath) ?? '').slice(-2_000)}`)
    }
    await pause(POLL_MS)
  }
  return [spec.name, running.pid ?? 0]
}

const stopChild = async (child: Child): Promise<void> => {
  if (child.hasEnded()) return
  child.signal('SIGTERM')
  const killer = setTimeout(() => child.signal('SIGKILL'), STOP_WITHIN_MS)
  await child.ended
  clearTimeout(killer)
}
