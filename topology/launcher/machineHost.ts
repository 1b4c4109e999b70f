/**
 * What the launcher asks of the machine it runs on, as a port: programs, downloads, facts. Tests pass a machine of their own, on which
 * Go is missing or the network hangs.
 */

import { spawn } from 'node:child_process'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createLocalFiles } from '../../storage/localFiles.ts'
import type { LocalFiles } from '../../storage/localFiles.ts'

export interface RunResult {
  /** Null when the program could not be started, or was killed by the time limit. */
  readonly code: number | null
  readonly output: string
}

export interface RunOptions {
  readonly timeoutMs: number
  readonly directory?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface MachineHost {
  readonly platform: string
  readonly arch: string
  readonly isRoot: boolean
  readonly home: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly files: LocalFiles
  /** Runs a program to its end; never throws. The output is both streams together, its last RUN_OUTPUT_CHARS_MAX characters. */
  readonly run: (program: string, args: readonly string[], options: RunOptions) => Promise<RunResult>
  /** The body of an https answer; throws when it is not 200, too slow or longer than `bytesMax`. */
  readonly download: (url: string, limits: { readonly timeoutMs: number; readonly bytesMax: number }) => Promise<Uint8Array>
}

const RUN_OUTPUT_CHARS_MAX = 64 * 1024

export const createMachineHost = (env: Readonly<Record<string, string | undefined>> = process.env): MachineHost => ({
  platform: process.platform,
  arch: process.arch,
  isRoot: process.getuid?.() === 0,
  home: homedir(),
  env,
  files: createLocalFiles(),
  run: (program, args, options) => runProgram(env, { program, args, options }),
  download,
})

/** The first executable of that name in PATH. */
export const findInPath = async (host: MachineHost, program: string): Promise<string | undefined> => {
  for (const folder of (host.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, program)
    if (folder !== '' && await host.files.isExecutable(path)) return path
  }
  return undefined
}

interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly options: RunOptions
}

const runProgram = (env: MachineHost['env'], { program, args, options }: Command): Promise<RunResult> =>
  new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.directory,
      env: { ...env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
    })
    let output = ''
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-RUN_OUTPUT_CHARS_MAX)
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.once('error', (error) => resolve({ code: null, output: error.message }))
    child.once('close', (code) => resolve({ code, output }))
  })

const download = async (url: string, limits: { readonly timeoutMs: number; readonly bytesMax: number }): Promise<Uint8Array> => {
  const response = await fetch(url, { signal: AbortSignal.timeout(limits.timeoutMs), redirect: 'follow' })
  if (response.status !== 200 || response.body === null) throw new Error(`${url} answered ${response.status}`)
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body) {
    length += chunk.byteLength
    if (length > limits.bytesMax) throw new Error(`${url} is longer than ${limits.bytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
