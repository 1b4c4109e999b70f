/**
 * Child processes of the launcher. Each is the leader of a process group of its own, so that a Ctrl-C in the terminal reaches the
 * launcher alone, which then drains them in order. Each writes its output straight into its log file: nothing is lost when the
 * launcher is gone, and nobody blocks on a pipe that nobody reads. One whose log can not be opened runs without: a log that somebody
 * has removed, or for which the disk has no room, is no reason to be a node less.
 *
 * No orphans, also when the launcher is killed with -9: a node's standard input is a pipe from the launcher, and a node that sees
 * it end drains by itself (supervised.ts). The broker can not be taught that, so a guard watches for it: `sh` that waits for the
 * end of its own standard input, gives the nodes BROKER_GRACE_TENTHS to drain, and then stops the broker.
 */

import { spawn } from 'node:child_process'
import { dirname } from 'node:path'
import type { ChildProcess } from 'node:child_process'
import type { AppendFile, LocalFiles } from '../../storage/localFiles.ts'

export interface ProcessSpec {
  readonly program: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly logPath: string
  /** Stop it when this process is gone, though it does not watch its standard input. */
  readonly isGuarded: boolean
}

export interface ProcessExit {
  readonly code: number | null
  readonly signal: string | null
}

export interface RunningProcess {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined
  readonly signal: (signal: 'SIGTERM' | 'SIGKILL') => void
  /** Why what it says is lost, where its log could not be opened. */
  readonly logProblem?: string
}

export interface Processes {
  /** `onExit` is called once, also when the program could not be started; it is not where this rejects. */
  readonly start: (spec: ProcessSpec, onExit: (exit: ProcessExit) => void) => Promise<RunningProcess>
}

/** Set for every child; with it, a node ends when its standard input does. */
export const SUPERVISED_ENV = 'SHARDKV_SUPERVISED'

const BROKER_GRACE_TENTHS = 150

/** `$1` is the broker; standard input carries the pids of nodes, one a line, and ends with the launcher. */
const guardScript = `
nodes=$(cat)
tenths=0
while [ $tenths -lt ${BROKER_GRACE_TENTHS} ]; do
  alive=0
  for node in $nodes; do kill -0 "$node" 2>/dev/null && alive=1; done
  [ $alive -eq 0 ] && break
  sleep 0.1
  tenths=$((tenths + 1))
done
kill -TERM "$1" 2>/dev/null
`

export const createProcesses = (files: LocalFiles): Processes => {
  const guards = new Set<ChildProcess>()
  const livingNodes = new Set<number>()
  const tellGuards = (pid: number): void => {
    for (const guard of guards) guard.stdin?.write(`${pid}\n`)
  }
  const guard = (pid: number): (() => void) => {
    const watcher = spawn('sh', ['-c', guardScript, 'shardkv-broker-guard', String(pid)], {
      stdio: ['pipe', 'ignore', 'ignore'], detached: true,
    })
    watcher.on('error', () => guards.delete(watcher))
    watcher.stdin?.on('error', () => guards.delete(watcher))
    guards.add(watcher)
    for (const node of livingNodes) watcher.stdin?.write(`${node}\n`)
    return () => {
      guards.delete(watcher)
      watcher.kill('SIGKILL')
    }
  }
  /** The machine may have no process to give for it: the broker runs all the same, and outlives a launcher that is killed with -9. */
  const guardIfPossible = (pid: number): (() => void) => {
    try {
      return guard(pid)
    } catch {
      return () => {}
    }
  }
  return {
    start: async (spec, onExit) => {
      const log = await openLog(files, spec.logPath)
      try {
        const child = spawnInto(log, spec)
        const { pid } = child
        const release = spec.isGuarded && pid !== undefined ? guardIfPossible(pid) : () => {}
        if (!spec.isGuarded && pid !== undefined) {
          livingNodes.add(pid)
          tellGuards(pid)
        }
        onceEnded(child, (exit) => {
          if (pid !== undefined) livingNodes.delete(pid)
          release()
          onExit(exit)
        })
        return { pid, signal: (signal) => { child.kill(signal) }, ...('problem' in log ? { logProblem: log.problem } : {}) }
      } finally {
        // The child has its own: what closing this one says concerns nobody, and must not look as if there were no child.
        if ('file' in log) await log.file.close().catch(() => {})
      }
    },
  }
}

type Log = { readonly file: AppendFile } | { readonly problem: string }

/** Its folder may have been removed since the last start. */
const openLog = async (files: LocalFiles, path: string): Promise<Log> => {
  try {
    await files.makeDirectory(dirname(path))
    return { file: await files.openAppend(path) }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

const spawnInto = (log: Log, { program, args, env }: ProcessSpec): ChildProcess => {
  const output = 'file' in log ? log.file.descriptor : 'ignore'
  const child = spawn(program, args, { stdio: ['pipe', output, output], detached: true, env: { ...env, [SUPERVISED_ENV]: '1' } })
  child.stdin?.on('error', () => {})
  return child
}

/** `exit`, or `error` when the program never ran. */
const onceEnded = (child: ChildProcess, onExit: (exit: ProcessExit) => void): void => {
  let hasEnded = false
  const end = (exit: ProcessExit): void => {
    if (hasEnded) return
    hasEnded = true
    onExit(exit)
  }
  child.once('exit', (code, signal) => end({ code, signal }))
  child.once('error', () => {
    if (child.pid === undefined) end({ code: 127, signal: null })
  })
}
