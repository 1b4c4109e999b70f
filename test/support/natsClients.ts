/**
 * NATS clients of other languages, for the programs of docs/NATS.md: those that are there, or that the Go and the Python of this machine
 * can get, once, into the user's cache. Null where neither is so, and then what needs them is skipped.
 */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The versions that docs/NATS.md names. */
const NATS_CLI = 'v0.5.1'
const NATS_PY = '2.16.0'

const GET_MS_MAX = 600_000
const LOOK_MS_MAX = 60_000
/** Its go.sum pins the Go client. */
export const GO_MODULE = 'bench/peers'

type Environment = Readonly<Record<string, string>>

const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'shardkv')

const works = (command: string, args: readonly string[], options: { env?: Environment; cwd?: string; ms?: number } = {}): boolean => {
  const { env = {}, cwd, ms = LOOK_MS_MAX } = options
  return spawnSync(command, args, { env: { ...process.env, ...env }, timeout: ms, ...(cwd === undefined ? {} : { cwd }) }).status === 0
}

/** The `nats` command: SHARDKV_NATS_CLI, that on PATH, or one that Go builds. */
export const natsCommand = (): string | null => {
  const folder = join(cache, `nats-cli-${NATS_CLI}`)
  const cached = join(folder, 'nats')
  const found = [process.env['SHARDKV_NATS_CLI'] ?? 'nats', cached].find((command) => works(command, ['--version']))
  if (found !== undefined) return found
  const env = { GOBIN: folder, GOFLAGS: '', CGO_ENABLED: '0' }
  return works('go', ['install', `github.com/nats-io/natscli/nats@${NATS_CLI}`], { env, ms: GET_MS_MAX }) ? cached : null
}

/** What python3 has to be told to find nats-py. */
export const pythonEnvironment = (): Environment | null => {
  if (works('python3', ['-c', 'import nats'])) return {}
  const folder = join(cache, `nats-py-${NATS_PY}`)
  const env = { PYTHONPATH: folder }
  const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--target', folder, `nats-py==${NATS_PY}`]
  if (!existsSync(folder) && !works('python3', args, { ms: GET_MS_MAX })) return null
  return works('python3', ['-c', 'import nats'], { env }) ? env : null
}

/** Whether Go is there, and has what nats.go is made of. */
export const hasGoClient = (): boolean =>
  works('go', ['list', '-deps', 'github.com/nats-io/nats.go'], { cwd: GO_MODULE, ms: GET_MS_MAX })
