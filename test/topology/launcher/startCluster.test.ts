/** `shardkv start` over fake processes: the directory, the command lines, the console, the exit code. */

import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createSystemClock } from '../../../actors/kernel/systemClock.ts'
import { createLocalFiles } from '../../../storage/localFiles.ts'
import { openCluster } from '../../../topology/launcher/clusterFile.ts'
import { startCluster } from '../../../topology/launcher/startCluster.ts'
import { lockDirectory } from '../../../topology/launcher/startLock.ts'
import type { Genesis } from '../../../actors/wal/protocol.ts'
import type { Launcher } from '../../../topology/launcher/launcher.ts'
import type { ProcessExit, ProcessSpec } from '../../../topology/launcher/processes.ts'
import type { StartOptions, StartPorts } from '../../../topology/launcher/startCluster.ts'

const DEADLINE_MS = 10_000

let directory = ''
beforeEach(() => { directory = join(mkdtempSync(join(tmpdir(), 'shardkv-start-')), 'data') })
afterEach(() => { rmSync(join(directory, '..'), { recursive: true }) })

const until = async (what: string, isSo: () => boolean): Promise<void> => {
  const deadline = performance.now() + DEADLINE_MS
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`)
    await new Promise((wake) => { setTimeout(wake, 5) })
  }
}

interface FakeProcess {
  readonly spec: ProcessSpec
  readonly exit: (exit: ProcessExit) => void
  readonly signals: string[]
}

const world = () => {
  const genesis = new Map<string, Genesis>()
  const lines: string[] = []
  const started: FakeProcess[] = []
  const takenPorts = new Set<number>()
  let idsDrawn = 0
  let isObedient = true
  const ports: StartPorts = {
    files: createLocalFiles(),
    clock: createSystemClock(),
    env: { PATH: '/bin', SHARDKV_TLSCA: 'ca.pem', SHARDKV_NATS_USER: 'ann', SHARDKV_SLOW_MS: '0' },
    cores: 4,
    say: (line) => { lines.push(line) },
    newClusterId: () => (idsDrawn += 1).toString(16).padStart(16, '0'),
    wallMs: () => 1_700_000_000_000,
    writeGenesis: async (home, record) => {
      if (genesis.has(home)) return { code: 'EEXIST', message: 'not empty' }
      genesis.set(home, record)
      mkdirSync(home, { recursive: true })
      return null
    },
    readGenesis: async (home) => genesis.get(home) ?? null,
    lock: lockDirectory,
    findServer: async () => ({ path: '/bin/nats-server', version: '2.9.10' }),
    versionWarning: (version) => `${version} is old`,
    brokerConfig: ({ port, prefix, shardCount }) => `listen ${port} ${prefix} shards ${shardCount}\n`,
    isReady: async () => true,
    brokerName: async () => {
      const args = started.findLast(({ spec }) => spec.isGuarded)?.spec.args ?? []
      return args[args.indexOf('--name') + 1] ?? null
    },
    isTaken: async (port) => takenPorts.has(port),
    cliCommand: ['node', 'cli.js'],
    processes: {
      start: async (spec, onExit) => {
        const process: FakeProcess = { spec, exit: onExit, signals: [] }
        started.push(process)
        mkdirSync(dirname(spec.logPath), { recursive: true })
        return {
          pid: 1_000 + started.length,
          signal: (signal) => {
            process.signals.push(signal)
            if (isObedient || signal === 'SIGKILL') setImmediate(() => onExit({ code: signal === 'SIGKILL' ? null : 0, signal: null }))
          },
        }
      },
    },
  }
  const options: StartOptions = { directory, natsPort: 4222, httpPort: 8480, logLevel: 'info' }
  return { ports, options, lines, started, genesis, takenPorts, beStubborn: () => { isObedient = false } }
}

const launched = async (w: ReturnType<typeof world>, options: Partial<StartOptions> = {}): Promise<Launcher> => {
  const result = await startCluster({ ...w.options, ...options }, w.ports)
  if ('problem' in result) throw new Error(result.problem)
  return result
}
/** Nodes are started side by side, so their order among `started` is the file system's. */
const processOf = (w: ReturnType<typeof world>, name: string): FakeProcess => {
  const found = w.started.findLast(({ spec }) => spec.args.includes(name))
  if (found === undefined) throw new Error(`${name} was not started`)
  return found
}
const ready = (w: ReturnType<typeof world>) => until('shardkv is ready', () => w.lines.includes('shardkv is ready'))

describe('a new directory', () => {
  test('gets a cluster, a broker configuration and one process per node, and a table when all are ready', async () => {
    const w = world()
    const launcher = await launched(w)
    await ready(w)
    expect(JSON.parse(readFileSync(join(directory, 'cluster.json'), 'utf8')))
      .toMatchObject({ phase: 'created', members: ['n1', 'n2', 'n3'], shardCount: 16 })
    expect(readFileSync(join(directory, 'nats.conf'), 'utf8')).toBe('listen 4222 kv shards 16\n')
    expect([...w.genesis.keys()]).toEqual(['n1', 'n2', 'n3'].map((name) => join(directory, name)))
    expect(w.started.map(({ spec }) => [spec.program, ...spec.args].join(' ')).toSorted()).toEqual([
      `/bin/nats-server -c ${join(directory, 'nats.conf')} --name shardkv-0000000000000001`,
      ...[1, 2, 3].map((i) => `node cli.js node --id n${i} --dir ${join(directory, `n${i}`)} --servers nats://127.0.0.1:4222`
        + ` --prefix kv --http-port ${8480 + i} --log-level info`),
    ])
    // A login in the environment is for a broker elsewhere.
    for (const { spec } of w.started.slice(1)) expect(spec.env).toEqual({ PATH: '/bin', SHARDKV_SLOW_MS: '0' })
    const text = w.lines.join('\n')
    expect(text).toContain('warning: 2.9.10 is old')
    expect(text).toMatch(/n2 +100[234] +http:\/\/127\.0\.0\.1:8482\/readyz/)
    launcher.stop()
    expect(await launcher.ended).toBe(0)
    expect(w.started.every(({ signals }) => signals.join() === 'SIGTERM')).toBe(true)
  })

  test('leaves its broker the cores that the nodes do not want, at least one; where there are plenty, Go decides', async () => {
    const cases = [[2, {}, '1'], [4, {}, '1'], [6, {}, '3'], [7, {}, undefined], [2, { GOMAXPROCS: '7' }, '7']] as const
    for (const [cores, env, expected] of cases) {
      const w = world()
      const launcher = await startCluster({ ...w.options, directory: join(directory, `${cores}${expected}`) }, { ...w.ports, env, cores })
      await ready(w)
      expect(w.started.find(({ spec }) => spec.isGuarded)?.spec.env['GOMAXPROCS']).toBe(expected)
      if ('problem' in launcher) throw new Error(launcher.problem)
      launcher.stop()
      await launcher.ended
    }
  })

  test('takes the size it is told, and a broker that runs already', async () => {
    const w = world()
    const nats = { urls: 'nats://far:4222', servers: ['nats://far:4222'] }
    const launcher = await launched(w, { nodes: 5, shards: 32, nats, announceChanges: true })
    await ready(w)
    expect(w.started).toHaveLength(5)
    expect(w.started[4]?.spec.env).toMatchObject({ SHARDKV_SERVERS: 'nats://far:4222', SHARDKV_TLSCA: 'ca.pem', SHARDKV_NATS_USER: 'ann' })
    expect(w.started.every(({ spec }) => spec.args.includes('--announce-changes'))).toBe(true)
    expect(existsSync(join(directory, 'nats.conf'))).toBe(false)
    expect(w.lines.join('\n')).toMatch(/broker +- +nats:\/\/far:4222/)
    launcher.stop()
    expect(await launcher.ended).toBe(0)
  })
})

test('the login of a broker that runs already is in the environment of nodes, on no command line and not on the console', async () => {
  const w = world()
  const nats = { urls: 'nats://ann:geheim@far:4222,nats://near', servers: ['nats://far:4222', 'nats://near'] }
  const launcher = await launched(w, { nats })
  await ready(w)
  for (const { spec: { args, env } } of w.started) {
    expect([env['SHARDKV_SERVERS'], args.filter((arg) => arg.includes('nats:'))]).toEqual([nats.urls, []])
  }
  launcher.stop()
  await launcher.ended
  expect(w.lines.join('\n')).toMatch(/broker +- +nats:\/\/far:4222,nats:\/\/near$/m)
  expect(w.lines.join('\n')).not.toContain('geheim')
})

test('the broker maps the prefix that the nodes serve', async () => {
  const w = world()
  const launcher = await launched({ ...w, ports: { ...w.ports, env: { SHARDKV_PREFIX: 'other' } } }, { prefix: 'shop' })
  await ready(w)
  expect(readFileSync(join(directory, 'nats.conf'), 'utf8')).toBe('listen 4222 shop shards 16\n')
  for (const { spec: { args } } of w.started.slice(1)) expect(args.join(' ')).toContain(' --prefix shop ')
  launcher.stop()
  await launcher.ended
})

test('nodes that are to log elsewhere log to standard output, too, where the launcher reads why one has ended', async () => {
  const targets = [
    ['loki:http://ann:geheim@far:3100', 'loki:http://ann:geheim@far:3100,stdout'],
    ['roll:/tmp/stdout', 'roll:/tmp/stdout,stdout'],
    ['stdout,roll:/tmp/x', 'stdout,roll:/tmp/x'], ['roll:/tmp/x,stdout:', 'roll:/tmp/x,stdout:'], ['', ''], [undefined, undefined],
  ] as const
  for (const [given, told] of targets) {
    const w = world()
    const launcher = await launched({ ...w, ports: { ...w.ports, env: { SHARDKV_LOG_TO: given } } })
    await ready(w)
    for (const { spec } of w.started.filter(({ spec: { isGuarded } }) => !isGuarded)) {
      expect([spec.env['SHARDKV_LOG_TO'], spec.args.join(' ').includes('geheim')]).toEqual([told, false])
    }
    launcher.stop()
    await launcher.ended
  }
})

describe('a directory with a cluster', () => {
  const wishes = (fields: object) => ({ directory, ...fields })

  test('is resumed as it is, with or without its own numbers', async () => {
    const { ports } = world()
    const first = await openCluster(ports, wishes({ nodes: 5, shards: 8 }))
    for (const again of [wishes({}), wishes({ nodes: 5 }), wishes({ shards: 8 })]) {
      expect(await openCluster(ports, again)).toEqual({ record: first.record, isNew: false })
    }
  })

  test('refuses other numbers and says what to do', async () => {
    const { ports } = world()
    await openCluster(ports, wishes({}))
    for (const other of [{ nodes: 5 }, { shards: 32 }]) {
      expect(await openCluster(ports, wishes(other)))
        .toMatchObject({ record: undefined, problem: expect.stringContaining('3 nodes and 16 shards') })
    }
  })

  test('whose creation was interrupted is completed with the same id, and never a second time', async () => {
    const { ports, genesis } = world()
    const write = ports.writeGenesis
    const failing = { ...ports, writeGenesis: async (home: string, record: Genesis) => (record.node === 'n2'
      ? { message: 'disk full' } : await write(home, record)) }
    expect(await openCluster(failing, wishes({}))).toMatchObject({ record: undefined, problem: expect.stringContaining('disk full') })
    expect(await openCluster(ports, wishes({}))).toMatchObject({ isNew: true, record: { cluster: '0000000000000001' } })
    genesis.delete(join(directory, 'n3'))
    expect(await openCluster(ports, wishes({}))).toMatchObject({ isNew: false })
    expect(genesis.has(join(directory, 'n3'))).toBe(false)
  })

  test('with a node of another cluster in it is refused', async () => {
    const { ports, genesis } = world()
    genesis.set(join(directory, 'n2'), { cluster: 'ffffffffffffffff' } as Genesis)
    expect(await openCluster(ports, wishes({})))
      .toMatchObject({ record: undefined, problem: expect.stringContaining(join(directory, 'n2')) })
  })

  test('without its cluster.json, or with a damaged one, is refused and left alone', async () => {
    const { ports } = world()
    await openCluster(ports, wishes({}))
    const path = join(directory, 'cluster.json')
    for (const text of ['{', '{"version":2}', 'null']) {
      writeFileSync(path, text)
      expect(await openCluster(ports, wishes({}))).toMatchObject({ record: undefined, problem: expect.stringContaining('damaged') })
      expect(readFileSync(path, 'utf8')).toBe(text)
    }
    rmSync(path)
    expect(await openCluster(ports, wishes({}))).toMatchObject({ record: undefined, problem: expect.stringContaining('n1, n2, n3') })
    expect(existsSync(path)).toBe(false)
  })
})

describe('while running', () => {
  test('a second start on the same directory is refused before it has changed anything, and can have it afterwards', async () => {
    const w = world()
    const launcher = await launched(w)
    await ready(w)
    const files = () => ['nats.conf', 'cluster.json'].map((name) => readFileSync(join(directory, name), 'utf8'))
    const before = files()
    const other = world()
    expect(await startCluster({ ...other.options, natsPort: 4_333, httpPort: 9_480 }, other.ports))
      .toEqual({ problem: expect.stringContaining(`another "shardkv start" runs in ${directory}`) })
    expect([files(), other.started]).toEqual([before, []])
    launcher.stop()
    expect(await launcher.ended).toBe(0)
    const next = await launched(w, { natsPort: 4_333 })
    await until('the next one', () => w.lines.filter((line) => line === 'shardkv is ready').length === 2)
    next.stop()
    expect([await next.ended, readdirSync(directory).filter((name) => name.startsWith('lock'))]).toEqual([0, []])
  })

  test('a dead node is restarted, its reason is told, and warnings reach the console with a limit', async () => {
    const w = world()
    const launcher = await launched(w)
    await ready(w)
    const log = join(directory, 'logs', 'n2.log')
    appendFileSync(log, '{"level":40,"msg":"slow disk"}\n'.repeat(5))
    await until('the warnings', () => w.lines.includes('n2 warn: slow disk'))
    expect(w.lines.filter((line) => line === 'n2 warn: slow disk')).toHaveLength(3)
    expect(w.lines).toContain(`n2: 2 more such lines in ${log}`)
    appendFileSync(log, '{"level":50,"msg":"fsync failed"}\n')
    processOf(w, 'n2').exit({ code: 1, signal: null })
    await until('the restart', () => w.lines.includes('n2 is back'))
    expect(w.lines.join('\n')).toContain('n2 ended (exit code 1: fsync failed); restarting in 0.25 s')
    expect(w.started).toHaveLength(5)
    launcher.stop()
    expect(await launcher.ended).toBe(0)
  })

  test('a second stop kills who does not obey', async () => {
    const w = world()
    const launcher = await launched(w, { nodes: 1 })
    await ready(w)
    w.beStubborn()
    launcher.stop()
    launcher.stop()
    expect(await launcher.ended).toBe(0)
    expect(w.started.map(({ signals }) => signals.at(-1))).toEqual(['SIGKILL', 'SIGKILL'])
  })

  test('a stop in the moment a process is being started reaches it', async () => {
    const w = world()
    const launcher = await launched(w)
    launcher.stop()
    expect(await launcher.ended).toBe(0)
    expect(w.started.map(({ signals }) => signals)).toEqual([['SIGTERM']])
  })

  test('a program that can not be started ends the launcher with its name', async () => {
    const w = world()
    const start = w.ports.processes.start
    const processes = { start: async (spec: ProcessSpec, onExit: (exit: ProcessExit) => void) => {
      if (!spec.isGuarded) return await start(spec, onExit)
      setImmediate(() => onExit({ code: 127, signal: null }))
      return { pid: undefined, signal: () => {} }
    } }
    const launcher = await startCluster(w.options, { ...w.ports, processes })
    expect('ended' in launcher ? await launcher.ended : 0).toBe(1)
    expect(w.lines.join('\n')).toContain('/bin/nats-server could not be started')
  })

  test('a failure of the launcher itself is told and is exit code 1', async () => {
    const w = world()
    const isReady = async () => { throw new Error('no file descriptors') }
    const launcher = await startCluster(w.options, { ...w.ports, isReady })
    expect('ended' in launcher ? await launcher.ended : 0).toBe(1)
    expect(w.lines).toContain('shardkv failed: no file descriptors')
  })

  test('a node that the machine can not start at one moment is tried again, and the others stay', async () => {
    const w = world()
    const start = w.ports.processes.start
    let failures = 0
    const processes = { start: async (spec: ProcessSpec, onExit: (exit: ProcessExit) => void) => {
      if (!spec.args.includes('n2') || !w.lines.includes('shardkv is ready') || failures > 0) return await start(spec, onExit)
      failures += 1
      throw new Error('spawn ENOMEM')
    } }
    const launcher = await launched({ ...w, ports: { ...w.ports, processes } })
    await ready(w)
    processOf(w, 'n2').exit({ code: null, signal: 'SIGKILL' })
    await until('the second attempt', () => w.lines.includes('n2 is back'))
    expect(w.lines.join('\n')).toContain('n2 ended (exit code 1: spawn ENOMEM); restarting in 0.50 s')
    expect(w.started.flatMap(({ signals }) => signals)).toEqual([])
    launcher.stop()
    expect(await launcher.ended).toBe(0)
  })

  test('a child whose log can not be opened is told of, and runs', async () => {
    const w = world()
    const start = w.ports.processes.start
    const processes = { start: async (...args: Parameters<typeof start>) => {
      const running = await start(...args)
      return args[0].args.includes('n2') ? { ...running, logProblem: 'ENOSPC: no space left' } : running
    } }
    const launcher = await launched({ ...w, ports: { ...w.ports, processes } })
    await ready(w)
    expect(w.lines.filter((line) => line.includes('without its log'))).toEqual(['n2 runs without its log: ENOSPC: no space left'])
    launcher.stop()
    expect(await launcher.ended).toBe(0)
  })
})

describe('before anything is started', () => {
  test('a disk without room for another file is no obstacle where the broker is told what it was told before', async () => {
    const w = world()
    const launcher = await launched(w)
    await ready(w)
    launcher.stop()
    await launcher.ended
    const writeAtomically = async () => { throw new Error('ENOSPC: no space left on device') }
    const full = { ...w, ports: { ...w.ports, files: { ...w.ports.files, writeAtomically } } }
    const again = await launched(full)
    await until('the second start', () => w.lines.filter((line) => line === 'shardkv is ready').length === 2)
    again.stop()
    expect(await again.ended).toBe(0)
    await expect(launched(full, { natsPort: 4_223 })).rejects.toThrow('ENOSPC')
  })

  test('a broker of somebody else at that port is not taken for the one that was started', async () => {
    const w = world()
    const { brokerName } = w.ports
    let asked = 0
    const named = async (): Promise<string | null> => {
      asked += 1
      return asked < 3 ? 'NDXYZ' : await brokerName(4_222)
    }
    const launcher = await launched({ ...w, ports: { ...w.ports, brokerName: named } })
    await until('a second question', () => asked === 2)
    expect(w.started).toHaveLength(1)
    await ready(w)
    launcher.stop()
    expect(await launcher.ended).toBe(0)
  })

  test('a port that a previous run still holds is waited for', async () => {
    const w = world()
    w.takenPorts.add(8_482)
    let waited = 0
    const say = (line: string): void => {
      w.ports.say(line)
      if (!line.startsWith('port 8482 is taken; waiting')) return
      waited += 1
      w.takenPorts.clear()
    }
    const launcher = await launched({ ...w, ports: { ...w.ports, say } })
    expect(waited).toBe(1)
    launcher.stop()
    await launcher.ended
  })

  test('a port that stays taken is refused with the flag to change', async () => {
    const w = world()
    const real = createSystemClock()
    const hurried = { ...real, now: () => real.now() * 1_000 }
    for (const [port, flag] of [[4_222, '--nats-port'], [8_483, '--http-port']] as const) {
      w.takenPorts.clear()
      w.takenPorts.add(port)
      expect(await startCluster(w.options, { ...w.ports, clock: hurried })).toMatchObject({ problem: expect.stringContaining(flag) })
    }
    expect(w.started).toEqual([])
  })

  test('no nats-server is a problem with its own words', async () => {
    const w = world()
    const findServer = async () => ({ path: undefined, problem: 'get one' })
    expect(await startCluster(w.options, { ...w.ports, findServer })).toEqual({ problem: 'get one' })
    expect(readdirSync(directory).filter((name) => name.startsWith('lock'))).toEqual([])
  })
})
