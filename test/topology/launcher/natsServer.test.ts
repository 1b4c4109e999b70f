/** Finding and installing nats-server on machines where one thing or another is missing. */

import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import { NATS_SERVER_VERSION, archiveName, checksumOf, fileInTar } from '../../../topology/launcher/natsRelease.ts'
import { cacheFolder, findNatsServer, findNatsServerVersion } from '../../../topology/launcher/natsServer.ts'
import { createLocalFiles } from '../../../storage/localFiles.ts'
import type { MachineHost, RunOptions, RunResult } from '../../../topology/launcher/machineHost.ts'
import type { LocalFiles } from '../../../storage/localFiles.ts'

const CACHED = '/home/ada/.cache/shardkv/nats-server'

interface Machine {
  readonly env?: Record<string, string>
  /** Paths of programs, with the version each prints. */
  readonly programs?: Record<string, string>
  readonly isRoot?: boolean
  readonly downloads?: Record<string, Uint8Array>
  /** What running a program does, besides `-v`; may add programs. */
  readonly onRun?: (command: string, programs: Map<string, string>,
    options: RunOptions) => RunResult
}

const ok: RunResult = { code: 0, output: '' }

const machine = ({ env = {}, programs: given = {}, isRoot = false, downloads = {}, onRun }: Machine) => {
  const programs = new Map(Object.entries(given))
  const commands: string[] = []
  const lines: string[] = []
  const files = {
    isExecutable: async (path: string) => programs.has(path),
    makeDirectory: async () => {},
    list: async (path: string) => [...programs.keys()].filter((name) => name.startsWith(`${path}/`))
      .map((name) => name.slice(path.length + 1)),
    rename: async (from: string, to: string) => {
      const version = programs.get(from)
      if (version === undefined) throw new Error(`no ${from}`)
      programs.delete(from)
      programs.set(to, version)
    },
    remove: async (path: string) => { for (const name of programs.keys()) if (`${name}/`.startsWith(`${path}/`)) programs.delete(name) },
    writeAtomically: async (path: string, content: string | Uint8Array) => { programs.set(path, Buffer.from(content).toString()) },
  } as unknown as LocalFiles
  const host: MachineHost = {
    platform: 'linux', arch: 'x64', isRoot, home: '/home/ada', env: { PATH: '/bin:/usr/bin', ...env }, files,
    run: async (program, args, options) => {
      if (args[0] === '-v') {
        const version = programs.get(program)
        return version === undefined || version === 'broken' ? { code: 1, output: 'boom' }
          : { code: 0, output: `nats-server: v${version}\n` }
      }
      const command = [program, ...args].join(' ')
      commands.push(command)
      return onRun?.(command, programs, options)
        ?? { code: null, output: 'not found' }
    },
    download: async (url) => {
      const body = downloads[url.split('/').at(-1) ?? '']
      if (body === undefined) throw new Error('no network')
      return body
    },
  }
  const say = (line: string): void => { lines.push(line) }
  return {
    commands, lines, host,
    find: () => findNatsServer(host, say),
    findVersion: (version: string) => findNatsServerVersion(host, version, say),
  }
}

describe('the order', () => {
  test('the named one wins over PATH', async () => {
    const { find } = machine({ env: { SHARDKV_NATS_SERVER: '/opt/nats' },
      programs: { '/opt/nats': '2.14.0', '/bin/nats-server': '2.9.10' } })
    expect(await find()).toEqual({ path: '/opt/nats', version: '2.14.0' })
  })

  test('a named one that does not run is an error, not a reason to look elsewhere', async () => {
    const { find } = machine({ env: { SHARDKV_NATS_SERVER: '/opt/nats' }, programs: { '/bin/nats-server': '2.9.10' } })
    expect(await find()).toMatchObject({ path: undefined, problem: expect.stringContaining('/opt/nats') })
  })

  test('PATH wins over the cached copy, unless it does not run', async () => {
    expect(await machine({ programs: { '/usr/bin/nats-server': '2.9.10', [CACHED]: '2.12.9' } }).find())
      .toMatchObject({ path: '/usr/bin/nats-server' })
    expect(await machine({ programs: { '/usr/bin/nats-server': 'broken', [CACHED]: '2.12.9' } }).find()).toMatchObject({ path: CACHED })
  })

  test('the cache is where XDG says', () => {
    expect(cacheFolder(machine({ env: { XDG_CACHE_HOME: '/x' } }).host)).toBe('/x/shardkv')
    expect(cacheFolder(machine({}).host)).toBe('/home/ada/.cache/shardkv')
  })
})

const block = (name: string, size: number, kind = '0'): Buffer => {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write(size.toString(8).padStart(11, '0'), 124)
  header.write(kind, 156)
  return header
}
const tarOf = (...entries: readonly (readonly [string, string])[]): Buffer => Buffer.concat([
  block('nats/', 0, '5'),
  ...entries.flatMap(([name, text]) => [block(name, text.length), Buffer.from(text.padEnd(Math.ceil(text.length / 512) * 512, '\0'))]),
  Buffer.alloc(1024),
])

describe('the release', () => {
  const archive = gzipSync(tarOf(['nats/README.md', 'read me'], ['nats/nats-server', '2.12.15']))
  const name = archiveName('linux', 'x64', NATS_SERVER_VERSION) ?? ''
  const sums = (checksum: string): Uint8Array => Buffer.from(`${'0'.repeat(64)}  other.zip\n${checksum}  ${name}\n`)
  const right = createHash('sha256').update(archive).digest('hex')

  test('is taken when its checksum is the release\'s', async () => {
    const { find, lines } = machine({ downloads: { SHA256SUMS: sums(right), [name]: archive } })
    expect(await find()).toEqual({ path: CACHED, version: '2.12.15' })
    expect(lines.at(-1)).toContain('is ready')
  })

  test('takes the place of a link in the cache, and leaves alone what that leads to', async () => {
    const home = mkdtempSync(join(tmpdir(), 'shardkv-cache-'))
    const [own, cached] = [join(home, 'own'), join(home, '.cache', 'shardkv', 'nats-server')]
    mkdirSync(join(home, '.cache', 'shardkv'), { recursive: true })
    writeFileSync(own, 'broken', { mode: 0o755 })
    symlinkSync(own, cached)
    const { host } = machine({ downloads: { SHA256SUMS: sums(right), [name]: archive } })
    const run: MachineHost['run'] = async (program) => ({ code: 0, output: `nats-server: v${readFileSync(program, 'utf8')}\n` })
    const found = await findNatsServer({ ...host, home, env: {}, files: createLocalFiles(), run }, () => {})
    expect(found).toEqual({ path: cached, version: '2.12.15' })
    expect([readFileSync(own, 'utf8'), lstatSync(cached).isFile()]).toEqual(['broken', true])
    rmSync(home, { recursive: true })
  })

  test('is refused when one bit differs, and nothing of it is kept', async () => {
    const { find, lines } = machine({ downloads: { SHA256SUMS: sums(right.replace(/^./, (c) => (c === 'a' ? 'b' : 'a'))),
      [name]: archive } })
    expect(await find()).toMatchObject({ path: undefined })
    expect(lines.join('\n')).toContain('has checksum')
  })

  test('is refused when the sums do not list it, or it holds no server', async () => {
    const empty = gzipSync(tarOf(['nats/README.md', 'x']))
    const emptySum = createHash('sha256').update(empty).digest('hex')
    for (const downloads of [{ SHA256SUMS: Buffer.from(''), [name]: archive }, { SHA256SUMS: sums(emptySum), [name]: empty }]) {
      expect(await machine({ downloads }).find()).toMatchObject({ path: undefined })
    }
  })

  test('there is none for platforms this code does not unpack for', () => {
    expect([archiveName('win32', 'x64', '2.9.25'), archiveName('linux', 'riscv64', '2.9.25')]).toEqual([undefined, undefined])
    expect(archiveName('darwin', 'arm64', '2.9.25')).toBe('nats-server-v2.9.25-darwin-arm64.tar.gz')
  })

  test('a checksum is 64 hex digits before the very name', () => {
    const sum = 'ab'.repeat(32)
    expect(checksumOf(`${sum}  a.tar.gz`, 'a.tar.gz')).toBe(sum)
    expect(checksumOf(`${sum} *a.tar.gz`, 'a.tar.gz')).toBe(sum)
    expect(checksumOf(`${sum}  ba.tar.gz\nzz  a.tar.gz`, 'a.tar.gz')).toBeUndefined()
  })

  test('a tar that lies about a size gives nothing', () => {
    expect(fileInTar(Buffer.concat([block('nats-server', 10_000), Buffer.alloc(512)]), 'nats-server')).toBeUndefined()
    expect(fileInTar(Buffer.alloc(100), 'nats-server')).toBeUndefined()
  })
})

describe('one version and no other', () => {
  const OLD = `${CACHED}-2.9.25`
  const go = (gives: string): Exclude<Machine['onRun'], undefined> => (command, programs, options) => {
    if (!command.endsWith('@v2.9.25')) return { code: 1, output: 'another version was asked for' }
    programs.set(`${options.env?.['GOBIN'] ?? ''}/nats-server`, gives)
    return ok
  }

  test('is cached under its own name, and neither PATH nor SHARDKV_NATS_SERVER takes its place', async () => {
    const programs = { '/bin/nats-server': '2.14.0', '/opt/nats': '2.14.0', [CACHED]: '2.12.15', [OLD]: '2.9.25' }
    const { findVersion } = machine({ env: { SHARDKV_NATS_SERVER: '/opt/nats' }, programs })
    expect(await findVersion('2.9.25')).toEqual({ path: OLD, version: '2.9.25' })
  })

  test('is installed with Go when the release can not be had, and then found', async () => {
    const { findVersion, commands } = machine({ programs: { '/bin/go': 'go' }, onRun: go('2.9.25') })
    expect(await findVersion('2.9.25')).toEqual({ path: OLD, version: '2.9.25' })
    expect(await findVersion('2.9.25')).toEqual({ path: OLD, version: '2.9.25' })
    expect(commands).toEqual(['go install github.com/nats-io/nats-server/v2@v2.9.25'])
  })

  test('is never another one, nor the one of Debian: the problem says what was tried', async () => {
    const { findVersion, commands } = machine({ programs: { '/bin/go': 'go', '/usr/bin/apt-get': 'apt' }, onRun: go('2.9.24') })
    const found = await findVersion('2.9.25')
    expect(found).toMatchObject({ path: undefined, problem: expect.stringContaining('the program it gave is 2.9.24') })
    expect(commands.some((command) => command.includes('apt-get'))).toBe(false)
    expect(await machine({}).findVersion('2.9.25')).toMatchObject({ problem: expect.stringContaining('Go is not installed') })
  })
})

describe('installing by what the machine offers', () => {
  test('go install, into the cache', async () => {
    const { find, commands } = machine({
      programs: { '/usr/bin/go': '1' },
      onRun: (command, programs, { env }) => {
        if (command.startsWith('go install')) programs.set(`${env?.['GOBIN']}/nats-server`, '2.12.15')
        return ok
      },
    })
    expect(await find()).toEqual({ path: CACHED, version: '2.12.15' })
    expect(commands).toEqual([`go install github.com/nats-io/nats-server/v2@v${NATS_SERVER_VERSION}`])
  })

  test('the Debian package, downloaded and unpacked, after one update of the lists when root', async () => {
    let isUpdated = false
    const { find, commands } = machine({
      programs: { '/usr/bin/apt-get': '1' },
      isRoot: true,
      onRun: (command, programs, { directory }) => {
        if (command.startsWith('apt-get update')) isUpdated = true
        if (command.startsWith('apt-get download') && !isUpdated) return { code: 100, output: 'E: Unable to locate package' }
        if (command.startsWith('apt-get download')) programs.set(`${directory}/nats-server_2.9.10_amd64.deb`, '')
        if (command.startsWith('dpkg')) programs.set(`${directory}/usr/sbin/nats-server`, '2.9.10')
        return ok
      },
    })
    expect(await find()).toEqual({ path: CACHED, version: '2.9.10' })
    expect(commands.map((command) => command.split(' ').slice(0, 2).join(' ')))
      .toEqual(['apt-get download', 'apt-get update', 'apt-get download', 'dpkg -x'])
  })

  test('nothing helps: the message names every attempt and what a person can do', async () => {
    const { find, lines } = machine({
      programs: { '/usr/bin/go': '1', '/usr/bin/apt-get': '1' },
      onRun: () => ({ code: 1, output: 'one\nthe last line' }),
    })
    const result = await find()
    expect(result.path).toBeUndefined()
    const problem = result.path === undefined ? result.problem : ''
    for (const part of ['GitHub: no network', 'the last line', 'apt-get install nats-server', 'brew install',
      'SHARDKV_NATS_SERVER', '--nats nats://']) {
      expect(problem).toContain(part)
    }
    expect(lines.length).toBeGreaterThan(5)
  })

  test('a machine with neither Go nor apt says so', async () => {
    const result = await machine({}).find()
    expect(result.path === undefined ? result.problem : '').toMatch(/Go is not installed[\s\S]*there is no apt-get/)
  })

  test('a program that was installed and does not run is not used', async () => {
    const { find } = machine({
      programs: { '/usr/bin/go': '1' },
      onRun: (_command, programs, { env }) => {
        programs.set(`${env?.['GOBIN']}/nats-server`, 'broken')
        return ok
      },
    })
    expect(await find()).toMatchObject({ path: undefined })
  })

  test('a package without the program is an answer too', async () => {
    const { find } = machine({
      programs: { '/usr/bin/apt-get': '1' },
      onRun: (command, programs, { directory }) => {
        if (command.startsWith('apt-get')) programs.set(`${directory}/nats-server.deb`, '')
        return command.startsWith('dpkg') ? ok : ok
      },
    })
    const result = await find()
    expect(result.path === undefined ? result.problem : '').toContain('holds no nats-server')
  })
})
