/**
 * Finds nats-server, or installs one into the user's cache by whatever this machine offers. No npm package ships the program.
 *
 * The order: SHARDKV_NATS_SERVER, PATH, the cached copy, the release from GitHub, `go install`, Debian's package (downloaded and
 * unpacked, so that no service is started and no rights are needed). Each step that fails says why and falls through to the next.
 * Nothing outside the cache directory is ever written.
 */

import { join } from 'node:path'
import { findInPath } from './machineHost.ts'
import { NATS_SERVER_VERSION, downloadNatsServer } from './natsRelease.ts'
import type { MachineHost } from './machineHost.ts'

export type Say = (line: string) => void

export type FoundServer =
  | { readonly path: string; readonly version: string }
  /** `problem` says what was tried and what a person can do. */
  | { readonly path: undefined; readonly problem: string }

const VERSION_TIMEOUT_MS = 10_000
const GO_TIMEOUT_MS = 300_000
const APT_TIMEOUT_MS = 120_000
const GO_MODULE = 'github.com/nats-io/nats-server/v2'

export const cacheFolder = (host: MachineHost): string => {
  const base = host.env['XDG_CACHE_HOME']
  return join(base === undefined || base === '' ? join(host.home, '.cache') : base, 'shardkv')
}

export const findNatsServer = async (host: MachineHost, say: Say): Promise<FoundServer> => {
  const named = host.env['SHARDKV_NATS_SERVER']
  if (named !== undefined && named !== '') return await serverNamed(host, named)
  const cached = join(cacheFolder(host), 'nats-server')
  for (const path of [await findInPath(host, 'nats-server'), cached]) {
    const version = path === undefined ? undefined : await versionOf(host, path)
    if (path !== undefined && version !== undefined) return { path, version }
  }
  return await install(host, { target: cached, version: NATS_SERVER_VERSION, isExact: false }, say)
}

/** One version and no other, for tests against an old broker: cached beside the usual one, whatever else this machine has. */
export const findNatsServerVersion = async (host: MachineHost, version: string, say: Say): Promise<FoundServer> => {
  const target = join(cacheFolder(host), `nats-server-${version}`)
  if (await versionOf(host, target) === version) return { path: target, version }
  return await install(host, { target, version, isExact: true }, say)
}

const serverNamed = async (host: MachineHost, path: string): Promise<FoundServer> => {
  const version = await versionOf(host, path)
  if (version !== undefined) return { path, version }
  return { path: undefined, problem: `SHARDKV_NATS_SERVER names ${path}, which is not a nats-server that runs; correct or unset it` }
}

/** `nats-server: v2.12.7` as 2.12.7; undefined when it is no program that answers so. */
export const versionOf = async (host: MachineHost, path: string): Promise<string | undefined> => {
  if (!await host.files.isExecutable(path)) return undefined
  const { code, output } = await host.run(path, ['-v'], { timeoutMs: VERSION_TIMEOUT_MS })
  if (code !== 0) return undefined
  return /nats-server: v(\d+\.\d+\.\d+\S*)/.exec(output)?.[1]
}

interface Wanted {
  /** Where the program goes. */
  readonly target: string
  readonly version: string
  /** Any other version is a failure. */
  readonly isExact: boolean
}

interface Installer {
  readonly name: (version: string) => string
  readonly canChooseVersion: boolean
  /** Puts a program at `target`; throws with the reason when it can not. */
  readonly install: (host: MachineHost, wanted: Wanted) => Promise<void>
}

const install = async (host: MachineHost, wanted: Wanted, say: Say): Promise<FoundServer> => {
  const { target, isExact } = wanted
  say(`shardkv: nats-server ${isExact ? `${wanted.version} ` : ''}is not installed; getting one into the cache`)
  await host.files.makeDirectory(cacheFolder(host))
  const failures: string[] = []
  for (const installer of installers.filter(({ canChooseVersion }) => canChooseVersion || !isExact)) {
    const name = installer.name(wanted.version)
    say(`shardkv: trying ${name} (this can take a minute) ...`)
    try {
      await installer.install(host, wanted)
      const version = await versionOf(host, target)
      if (version === undefined) throw new Error('the program it gave does not run here')
      if (isExact && version !== wanted.version) throw new Error(`the program it gave is ${version}`)
      say(`shardkv: nats-server ${version} is ready (${target})`)
      return { path: target, version }
    } catch (error) {
      const reason = reasonOf(error)
      failures.push(`  ${name}: ${reason}`)
      say(`shardkv: ${name} did not work: ${reason}`)
    }
  }
  return { path: undefined, problem: howToInstall(failures, wanted.version) }
}

const fromRelease = async (host: MachineHost, { target, version }: Wanted): Promise<void> => {
  const program = await downloadNatsServer(host, version)
  // Renamed into place: that replaces a link in the cache, not the program it leads to, and leaves no moment without one.
  const fresh = `${target}.${process.pid}`
  await host.files.writeAtomically(fresh, program, 0o755)
  await host.files.rename(fresh, target)
}

const fromGo = async (host: MachineHost, { target, version }: Wanted): Promise<void> => {
  if (await findInPath(host, 'go') === undefined) throw new Error('Go is not installed')
  const bin = `${target}.go`
  try {
    const { code, output } = await host.run('go', ['install', `${GO_MODULE}@v${version}`], {
      timeoutMs: GO_TIMEOUT_MS,
      directory: cacheFolder(host),
      env: { GOBIN: bin, CGO_ENABLED: '0', GOFLAGS: '' },
    })
    if (code !== 0) throw new Error(lastLine(output))
    await host.files.rename(join(bin, 'nats-server'), target)
  } finally {
    await host.files.remove(bin)
  }
}

const fromDebian = async (host: MachineHost, { target }: Wanted): Promise<void> => {
  if (await findInPath(host, 'apt-get') === undefined) throw new Error('there is no apt-get')
  const folder = `${target}.deb`
  await host.files.makeDirectory(folder)
  try {
    const download = () => host.run('apt-get', ['download', '-qq', 'nats-server'], { timeoutMs: APT_TIMEOUT_MS, directory: folder })
    let result = await download()
    if (result.code !== 0 && host.isRoot) {
      await host.run('apt-get', ['update', '-qq'], { timeoutMs: APT_TIMEOUT_MS })
      result = await download()
    }
    const archive = (await host.files.list(folder)).find((name) => name.endsWith('.deb'))
    if (result.code !== 0 || archive === undefined) throw new Error(lastLine(result.output))
    const unpacked = await host.run('dpkg', ['-x', archive, '.'], { timeoutMs: APT_TIMEOUT_MS, directory: folder })
    if (unpacked.code !== 0) throw new Error(lastLine(unpacked.output))
    await host.files.rename(await programIn(host, folder), target)
  } finally {
    await host.files.remove(folder)
  }
}

const programIn = async (host: MachineHost, folder: string): Promise<string> => {
  for (const place of ['usr/sbin/nats-server', 'usr/bin/nats-server']) {
    const path = join(folder, place)
    if (await host.files.isExecutable(path)) return path
  }
  throw new Error('the package holds no nats-server')
}

const installers: readonly Installer[] = [
  { name: (version) => `the release ${version} from GitHub`, canChooseVersion: true, install: fromRelease },
  { name: (version) => `go install ${GO_MODULE}@v${version}`, canChooseVersion: true, install: fromGo },
  { name: () => 'the package nats-server of this Debian', canChooseVersion: false, install: fromDebian },
]

/** `fetch failed` says nothing; its cause does. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error && error.cause.message !== '' ? `${error.message} (${error.cause.message})` : error.message
}

const lastLine = (output: string): string => output.trim().split('\n').at(-1) ?? 'it said nothing'

const howToInstall = (failures: readonly string[], version: string): string => [
  'shardkv needs nats-server and could not get one:',
  ...failures,
  'Install it by any of these, then start again:',
  `  go install ${GO_MODULE}@v${version}`,
  '  brew install nats-server            (macOS)',
  '  apt-get install nats-server         (Debian, Ubuntu)',
  '  https://github.com/nats-io/nats-server/releases',
  'or name the program in SHARDKV_NATS_SERVER, or use a broker that runs already: npm start -- --nats nats://HOST:4222',
].join('\n')
