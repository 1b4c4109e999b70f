/** The command line with the real terminal, broker and files behind its port. */

import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createSystemClock } from '../actors/kernel/systemClock.ts'
import { connectNats } from '../bus/nats.ts'
import { createLocalFiles } from '../storage/localFiles.ts'
import { SIGPIPE_EXIT_CODE, createBrokenOutput } from './brokenOutput.ts'
import { fileTrouble } from './fileTrouble.ts'
import { http } from './http.ts'
import { countInterrupts } from './interrupts.ts'
import { runCli } from './program.ts'
import { openPrompt } from './repl/prompt.ts'
import type { LocalFiles } from '../storage/localFiles.ts'
import type { BrokenOutput } from './brokenOutput.ts'
import type { CliIo, CliTerminal } from './io.ts'

const ID_BYTES = 8

/** Runs one command line and ends the process with its exit code. */
export const main = async (args: readonly string[]): Promise<void> => {
  const broken = createBrokenOutput()
  process.stdout.on('error', (error) => outputFailed(broken, error, 'standard output'))
  process.stderr.on('error', (error) => outputFailed(broken, error, null))
  process.exitCode = await runCli(args, realIo(broken))
  process.exit()
}

/** `name` is what to call it, null where there is nobody left to tell. */
const outputFailed = (broken: BrokenOutput, error: NodeJS.ErrnoException, name: string | null): void => {
  const exitCode = broken.exitCodeFor(error)
  if (exitCode === null) return
  if (name !== null && exitCode !== SIGPIPE_EXIT_CODE) {
    process.stderr.write(`shardkv: ${fileTrouble(Object.assign(error, { path: name })) ?? error.message}\n`)
  }
  process.exit(exitCode)
}

const realIo = (broken: BrokenOutput): CliIo => {
  const files = createLocalFiles()
  return {
    env: process.env,
    files,
    print,
    say: (text) => { process.stderr.write(text) },
    isOutputTty: process.stdout.isTTY === true,
    endsValues: process.stdout.isTTY === true,
    isErrorTty: process.stderr.isTTY === true,
    isInputTty: process.stdin.isTTY === true,
    terminal: process.stdin.isTTY === true && process.stdout.isTTY === true ? realTerminal : null,
    openPrompt: (options) => openPrompt({ input: process.stdin, output: process.stdout, isTty: process.stdin.isTTY === true }, options),
    readInput,
    connect: (broker) => connectNats({ ...broker, name: 'shardkv cli' }),
    http,
    clock: createSystemClock(),
    newId: () => randomBytes(ID_BYTES).toString('hex'),
    onInterrupt: (handler) => countInterrupts(process, () => performance.now(), handler),
    beforeKilled,
    version: () => readVersion(files),
    hostName: hostname,
    // Loaded when asked for: `get` should not pay for the engine.
    startLocalCluster: async (options, say) => {
      broken.outlive()
      return (await import('../topology/launcher/main.ts')).startLocalCluster(options, say)
    },
    createCluster: async (wishes) => (await import('../topology/launcher/main.ts')).createCluster(wishes),
    readGenesis: async (directory) => (await import('../topology/launcher/main.ts')).readGenesisIn(directory),
    runNode: async (options) => (await import('./commands/node.ts')).runNode(options),
    runBench: async (args) => (await import('../bench/main.ts')).main(args),
  }
}

const realTerminal: CliTerminal = {
  size: () => ({ columns: process.stdout.columns, rows: process.stdout.rows }),
  onKey: (handler) => {
    const listener = (bytes: Buffer): void => handler(bytes.toString())
    process.stdin.setRawMode(true)
    process.stdin.on('data', listener)
    process.stdin.resume()
    return () => {
      process.stdin.removeListener('data', listener)
      process.stdin.pause()
      process.stdin.setRawMode(false)
    }
  },
  onResize: (handler) => {
    process.stdout.on('resize', handler)
    return () => { process.stdout.removeListener('resize', handler) }
  },
}

const print = (data: string | Uint8Array): Promise<void> => new Promise((resolve, reject) => {
  process.stdout.write(data, (error) => {
    if (error === null || error === undefined) resolve()
    else reject(error)
  })
})

const readInput = async (): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}

const killers = ['SIGTERM', 'SIGHUP'] as const

/** Then by the signal itself: an exit would put a terminal in order that may be gone, which ends Node with an abort. */
const beforeKilled = (work: () => Promise<void>): (() => void) => {
  const release = (): void => {
    for (const signal of killers) process.removeListener(signal, listener)
  }
  const listener = (signal: (typeof killers)[number]): void => {
    void work().finally(() => {
      release()
      process.kill(process.pid, signal)
    })
  }
  for (const signal of killers) process.on(signal, listener)
  return release
}

/** From the nearest package.json above this file: sources and build lie at different depths. */
const readVersion = async (files: LocalFiles): Promise<string> => {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const text = await files.readText(join(folder, 'package.json'))
    const found = text === null ? {} : JSON.parse(text) as { name?: string; version?: string }
    if (found.name === 'shardkv' && found.version !== undefined) return found.version
    if (folder === dirname(folder)) return 'unknown'
  }
}
