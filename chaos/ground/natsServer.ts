/**
 * A real nats-server for one cluster: free port, own temporary directory, reaped with the test process at the latest.
 * The binary is SHARDKV_NATS_SERVER (set by bin/test.mjs), otherwise the one on PATH.
 */

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../bench/targets/freePorts.ts'
import type { ChildProcess } from 'node:child_process'

const STARTS_WITHIN_MS = 10_000
const POLL_MS = 10

export interface NatsServer {
  readonly url: string
  readonly port: number
  /** SIGKILL, then the same server on the same port again. */
  readonly restart: () => Promise<void>
  /** SIGKILL, and nothing in its place until `launch`. */
  readonly kill: () => Promise<void>
  readonly launch: () => Promise<void>
  /** Writes another configuration and restarts with it. */
  readonly reconfigure: (configOf: (port: number) => string) => Promise<void>
  readonly signal: (name: NodeJS.Signals) => void
  readonly stop: () => Promise<void>
}

export const natsServerPath = (): string => process.env.SHARDKV_NATS_SERVER ?? 'nats-server'

/** Starts a server from a whole configuration text; `port` is the one to put into it. */
export const startNatsServer = async (configOf: (port: number) => string = plainConfig): Promise<NatsServer> => {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'shardkv-nats-'))
  const configPath = join(directory, 'nats.conf')
  writeFileSync(configPath, configOf(port))
  let child = await launch(configPath, port)
  const again = async (): Promise<void> => {
    child = await launch(configPath, port)
  }
  const reap = (): void => {
    child.kill('SIGKILL')
  }
  process.once('exit', reap)
  const restart = async (): Promise<void> => {
    await kill(child)
    await again()
  }
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    restart,
    kill: () => kill(child),
    launch: again,
    reconfigure: (next) => {
      writeFileSync(configPath, next(port))
      return restart()
    },
    signal: (name) => {
      child.kill(name)
    },
    stop: async () => {
      process.removeListener('exit', reap)
      await kill(child)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

const plainConfig = (port: number): string => `listen: "127.0.0.1:${port}"\n`

const launch = async (configPath: string, port: number): Promise<ChildProcess> => {
  const child = spawn(natsServerPath(), ['-c', configPath], { stdio: ['ignore', 'ignore', 'pipe'] })
  let output = ''
  let failure: string | undefined
  child.stderr?.on('data', (bytes: Buffer) => {
    output = (output + bytes.toString()).slice(-4_000)
  })
  child.once('error', (error) => {
    failure = `nats-server does not start (${error.message}); set SHARDKV_NATS_SERVER to its path`
  })
  child.once('exit', (code) => {
    failure ??= `nats-server ended with ${code}: ${output}`
  })
  const deadline = Date.now() + STARTS_WITHIN_MS
  while (!(await answers(port))) {
    if (failure !== undefined) throw new Error(failure)
    if (Date.now() > deadline) {
      await kill(child)
      throw new Error(`nats-server does not listen after ${STARTS_WITHIN_MS} ms: ${output}`)
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  return child
}

const answers = (port: number): Promise<boolean> => new Promise((resolve) => {
  const socket = connect(port, '127.0.0.1')
  socket.once('data', () => {
    socket.destroy()
    resolve(true)
  })
  socket.once('error', () => resolve(false))
})

const kill = (child: ChildProcess): Promise<void> => new Promise((resolve) => {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
    resolve()
    return
  }
  child.once('exit', () => resolve())
  child.kill('SIGKILL')
})
