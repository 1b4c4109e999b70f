/** The commands that run something: `start`, `init`, `node`, `version`, `nats-config`. */

import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { fakeTerminal } from './fakes.ts'
import type { NodeCommandOptions } from '../../cli/commands/node.ts'
import { mappingsBlock } from '../../bus/natsConfig.ts'
import { newNodeName } from '../../cli/nodeName.ts'
import { isNodeId } from '../../topology/ids.ts'
import type { GenesisResult } from '../../storage/genesis.ts'
import type { ClusterWishes, OpenedCluster } from '../../topology/launcher/clusterFile.ts'
import type { StartOptions } from '../../topology/launcher/startCluster.ts'

test('start hands its flags to the launcher, and the first Ctrl-C asks it to drain', async () => {
  let options: StartOptions | undefined
  let stops = 0
  const terminal = fakeTerminal(null, {
    startLocalCluster: async (given, say) => {
      options = given
      say('shardkv is ready')
      let finish: (code: number) => void = () => {}
      const ended = new Promise<number>((resolve) => { finish = resolve })
      setImmediate(() => { terminal.interrupt() })
      return { ended, stop: () => { stops += 1; finish(0) } }
    },
  })
  const { code, out, err } = await terminal.run('start', '--nodes', '5', '--shards', '32', '--dir', 'd', '--nats-port', '4333',
    '--http-port', '9000', '--prefix', 'shop', '--announce-changes')
  expect([code, out, stops]).toEqual([0, '', 1])
  expect(options).toMatchObject({
    prefix: 'shop', nodes: 5, shards: 32, directory: 'd', natsPort: 4333, httpPort: 9000, announceChanges: true,
  })
  expect(err).toBe('shardkv is ready\ndraining; once more kills at once\nstopped\n')
})

test('start reads the addresses of another broker, and repeats none that it can not read', async () => {
  const nats: StartOptions['nats'][] = []
  const terminal = fakeTerminal(null, { startLocalCluster: async (given) => {
    nats.push(given.nats)
    return { problem: 'no' }
  } })
  expect((await terminal.run('start', '--nats', 'nats://ann:geheim@far:4222, nats://near')).code).toBe(1)
  expect(nats).toEqual([{ urls: 'nats://ann:geheim@far:4222, nats://near', servers: ['nats://far:4222', 'nats://near'] }])
  for (const wrong of ['nats://ann:geheim%@far', 'nats://ann:geheim@', '']) {
    const { code, err } = await terminal.run('start', '--nats', wrong)
    expect([code, err.includes('geheim'), err]).toEqual([2, false, expect.stringContaining('--nats: ')])
  }
  expect(nats).toHaveLength(1)
})

test('start without flags leaves nodes and shards to the directory', async () => {
  let options: StartOptions | undefined
  const terminal = fakeTerminal(null, { startLocalCluster: async (given) => {
    options = given
    return { problem: 'port 4222 is taken' }
  } })
  expect(await terminal.run('start')).toEqual({ code: 1, out: '', err: 'shardkv: port 4222 is taken\n' })
  expect([options?.nodes, options?.shards, options?.directory, options?.natsPort, options?.httpPort])
    .toEqual([undefined, undefined, './.shardkv', 4222, 8480])
})

test('start ends with code 1 when the cluster gave up by itself', async () => {
  const terminal = fakeTerminal(null, { startLocalCluster: async () => ({ ended: Promise.resolve(1), stop: () => {} }) })
  expect((await terminal.run('start')).code).toBe(1)
})

test('node runs with its flags, and its exit code is the process\'s', async () => {
  let options: NodeCommandOptions | undefined
  const codes = [0, 78]
  const terminal = fakeTerminal(null, { runNode: async (given) => { options = given; return codes.shift() ?? 1 } })
  const args = ['node', '--id', 'n1', '--dir', 'd/n1', '--http-port', '8481']
  expect((await terminal.run(...args)).code).toBe(0)
  expect((await terminal.run(...args)).code).toBe(78)
  expect(options).toMatchObject({
    id: 'n1', dir: 'd/n1', httpPort: 8481, httpHost: '127.0.0.1', logLevel: 'info', lostAfterMs: 30_000, announceChanges: false,
  })
})

test('node takes a login out of the addresses of the broker, and listens where it is told', async () => {
  let options: NodeCommandOptions | undefined
  const terminal = fakeTerminal(null, { runNode: async (given) => { options = given; return 0 } })
  const args = ['node', '--id', 'n1', '--dir', 'd', '--inbox-prefix', '_INBOX.n1']
  expect((await terminal.run(...args, '--servers', 'nats://n1:ge%40heim@b')).code).toBe(0)
  expect(options?.broker).toEqual({ servers: ['nats://b'], inboxPrefix: '_INBOX.n1', user: 'n1', pass: 'ge@heim' })
  expect(options?.brokerSecrets).toEqual(['ge%40heim', 'ge@heim'])
  expect(Object.keys(options ?? {})).not.toContain('servers')
  expect((await terminal.run(...args, '--nats-user', 'n1', '--nats-password', 'geheim')).code).toBe(0)
  expect(options?.brokerSecrets).toEqual(['geheim'])
  const { code, err } = await terminal.run(...args, '--servers', 'nats://n1:geheim@b', '--nats-user', 'n1')
  expect([code, err.includes('geheim')]).toEqual([2, false])
})

test('node says where others reach its HTTP port, without a path, and on which machine it is', async () => {
  let options: NodeCommandOptions | undefined
  const terminal = fakeTerminal(null, { runNode: async (given) => { options = given; return 0 } })
  const args = ['node', '--id', 'n1', '--dir', 'd']
  expect((await terminal.run(...args)).code).toBe(0)
  expect([options?.httpAddress, options?.hostName]).toEqual([undefined, 'web1.example.org'])
  expect((await terminal.run(...args, '--http-address', 'http://10.0.0.3:8481/')).code).toBe(0)
  expect(options?.httpAddress).toBe('http://10.0.0.3:8481')
  for (const wrong of ['10.0.0.3:8481', 'http://a/v1', 'http://a@b']) {
    expect((await terminal.run(...args, '--http-address', wrong)).code).toBe(2)
  }
})

test('node --join carries what the node brings, and how long it waits for others', async () => {
  let options: NodeCommandOptions | undefined
  const terminal = fakeTerminal(null, { runNode: async (given) => { options = given; return 0 } })
  const wish = ['--weight', '2', '--zone', 'rack-2', '--lost-after', '5s', '--announce-changes']
  expect((await terminal.run('node', '--join', '--id', 'n4', '--dir', 'd', ...wish)).code).toBe(0)
  expect(options).toMatchObject({ join: { weight: 2, zone: 'rack-2' }, lostAfterMs: 5_000, announceChanges: true })
})

describe('node without a name', () => {
  const found = { kind: 'found', genesis: { node: 'n7' } } as GenesisResult
  const start = async (line: string, genesis: GenesisResult = { kind: 'none' }) => {
    const places: string[] = []
    const terminal = fakeTerminal(null, {
      readGenesis: async (directory) => {
        places.push(directory)
        return genesis
      },
      runNode: async ({ id, dir }) => {
        places.push(`${id} in ${dir}`)
        return 0
      },
    })
    return { ...await terminal.run(...line.split(' ')), places }
  }

  test('that joins is called after its machine, with an end of its own, and says so', async () => {
    const { code, err, places } = await start('node --join')
    expect([code, places]).toEqual([0, ['.shardkv/joined', 'web1-0000 in .shardkv/joined']])
    expect(err).toBe('this is node web1-0000, which from now on is its name in .shardkv/joined\n')
    expect((await start('node --join --id n4')).places).toEqual(['n4 in .shardkv/n4'])
  })

  test('that joins is called as its user, whom the broker lets be that node alone', async () => {
    expect((await start('node --join --nats-user n4 --nats-password x')).places[1]).toBe('n4 in .shardkv/joined')
    expect((await start('node --join --nats-user Ops --nats-password x')).places[1]).toBe('web1-0000 in .shardkv/joined')
  })

  test('has the one that its directory has, with --join as without', async () => {
    for (const line of ['node --dir d', 'node --join --dir d']) {
      expect(await start(line, found)).toMatchObject({ code: 0, err: 'this is node n7, as it is called in d\n', places: ['d', 'n7 in d'] })
    }
  })

  test('is refused where there is none to have, or where it can not be read', async () => {
    expect(await start('node')).toMatchObject({ code: 2, err: expect.stringContaining('give --dir'), places: [] })
    expect(await start('node --id n1')).toMatchObject({ code: 2, err: expect.stringContaining('give --dir'), places: [] })
    expect(await start('node --dir d')).toMatchObject({ code: 2, err: expect.stringContaining('give --id'), places: ['d'] })
    const damaged = { kind: 'refused', reason: 'damaged', message: 'genesis.json is damaged' } as const
    const refused = { code: 78, err: expect.stringContaining('d: genesis.json'), places: ['d'] }
    expect(await start('node --join --dir d', damaged)).toMatchObject(refused)
  })
})

test.each([
  ['Web1.example.org', 'web1-7c2e'], ['3f2a9c1b2d4e', 'f2a9c1b2d4e-7c2e'], ['', 'node-7c2e'], ['10.0.0.7', 'node-7c2e'],
  ['ä_b--c-', 'b-c-7c2e'], ['a-very-long-name-of-a-machine', 'a-very-long-name-of-7c2e'],
])('a node of the machine %j is called %s', (host, name) => {
  expect(newNodeName(host, '7c2e0123456789ab')).toBe(name)
  expect(isNodeId(name)).toBe(true)
})

test.each([
  ['--zone', 'a'.repeat(33), '1-32 of a-z, 0-9 and -'], ['--zone', 'Rack 2', '1-32 of a-z, 0-9 and -'],
  ['--zone', '-a', '1-32 of a-z, 0-9 and -'], ['--id', 'a'.repeat(33), '1-32 of a-z, 0-9 and -'], ['--id', 'N4', 'starting with a letter'],
  ['--id', '4n', 'starting with a letter'], ['--id', '', 'starting with a letter'], ['--weight', '0', 'from 1 to 64'],
  ['--weight', '65', 'from 1 to 64'], ['--weight', '1.5', 'from 1 to 64'], ['--weight', 'heavy', 'from 1 to 64'],
  ['--lost-after', '10ms', 'It is a time'],
])('node --join %s %j is refused before anything starts', async (name, value, reason) => {
  const terminal = fakeTerminal(null, { runNode: async () => { throw new Error('it starts') } })
  const given = new Map([['--id', 'n4'], ['--dir', 'd'], [name, value]])
  const { code, err } = await terminal.run('node', '--join', ...[...given].flat())
  expect(code).toBe(2)
  expect(err).toContain(`${name} <`)
  expect(err).toContain(reason)
})

test('version is one line, or JSON', async () => {
  const terminal = fakeTerminal(null)
  expect((await terminal.run('version')).out).toMatch(/^shardkv 1\.2\.3 \(Node /)
  expect(JSON.parse((await terminal.run('version', '-w', 'json')).out)).toMatchObject({ version: '1.2.3' })
})

test('nats-config prints the mapping of the shard count, and with a cluster id the permissions', async () => {
  const terminal = fakeTerminal(null)
  expect((await terminal.run('nats-config', '--shards', '32')).out).toContain('partition(32,2)')
  const { out } = await terminal.run('nats-config', '--cluster', '0123456789abcdef', '--nodes', 'n1,n2')
  expect(out).toContain('$SHARDKV_N2_PASSWORD')
  expect(out).toContain('skv.0123456789abcdef.*.*.n2')
})

test('nats-config refuses what can be no prefix, cluster or node', async () => {
  const terminal = fakeTerminal(null)
  for (const args of [['--prefix', 'a.b'], ['--cluster', 'x'], ['--cluster', '0123456789abcdef', '--nodes', 'N1'], ['--shards', '0']]) {
    expect((await terminal.run('nats-config', ...args)).code).toBe(2)
  }
})

test('nats-config gives nobody two kinds of rights: no node twice, and none in the name of the clients', async () => {
  const terminal = fakeTerminal(null)
  const errorOf = async (nodes: string): Promise<unknown> => {
    const { code, err, out } = await terminal.run('nats-config', '--cluster', '0123456789abcdef', '--nodes', nodes)
    return [code, out, err]
  }
  expect(await errorOf('n1,client')).toEqual([2, '', expect.stringContaining('"client" is the user of clients here')])
  expect(await errorOf('n1,n2,n1')).toEqual([2, '', expect.stringContaining('the node "n1" is named twice')])
})

test('an unexpected error is exit code 1 with its stack', async () => {
  const terminal = fakeTerminal(null, { runNode: async () => { throw new TypeError('a bug') } })
  const { code, err } = await terminal.run('node', '--id', 'n1', '--dir', 'd')
  expect(code).toBe(1)
  expect(err).toContain('TypeError: a bug')
})

test('bench hands on what it is asked, with -w in the words of the benchmarks', async () => {
  const asked: (readonly string[])[] = []
  const terminal = fakeTerminal(null, { runBench: async (args) => { asked.push(args) } })
  const lines = [
    ['put', '--inflight', '64'], ['get', '-w', 'json', '--help'], ['--servers', 'nats://a:1'], ['put', '--write-out', 'table'], [],
  ]
  for (const args of lines) expect((await terminal.run('bench', ...args)).code).toBe(0)
  expect(asked).toEqual([['put', '--inflight', '64'], ['get', '--json', '--help'], ['--servers', 'nats://a:1'], ['put'], []])
  expect((await terminal.run('bench', 'put', '-w', 'raw')).code).toBe(2)
})

test('version, init and nats-config print as -w says', async () => {
  const createCluster = async (): Promise<OpenedCluster> =>
    ({ isNew: true, record: { cluster: 'c', members: ['n1', 'n2'], shardCount: 8 } } as unknown as OpenedCluster)
  const terminal = fakeTerminal(null, { createCluster })
  expect((await terminal.run('version', '-w', 'table')).out).toMatch(/^VERSION +NODE\n1\.2\.3 +\d/)
  expect((await terminal.run('init', '-w', 'raw')).out).toBe('c\tn1 n2\t8\n')
  expect((await terminal.run('init', '-w', 'table')).out).toContain('SHARD COUNT')
  const config: unknown = expect.stringContaining('mappings')
  expect(JSON.parse((await terminal.run('nats-config', '-w', 'json')).out)).toMatchObject({ shardCount: 16, config })
})

test('init says what it created, and refuses what the directory refuses', async () => {
  const asked: ClusterWishes[] = []
  const results: OpenedCluster[] = [
    { isNew: true, record: { cluster: 'c', members: ['n1'], shardCount: 8 } } as unknown as OpenedCluster,
    { record: undefined, problem: 'damaged' },
  ]
  const createCluster = async (wishes: ClusterWishes): Promise<OpenedCluster> => {
    asked.push(wishes)
    return results.shift() ?? { record: undefined, problem: 'asked too often' }
  }
  const terminal = fakeTerminal(null, { createCluster })
  expect(await terminal.run('init', '--dir', 'd', '--shards', '8'))
    .toEqual({ code: 0, out: '{"cluster":"c","nodes":["n1"],"shardCount":8}\n', err: 'created\n' })
  expect(await terminal.run('init', '--dir', 'd')).toEqual({ code: 1, out: '', err: 'shardkv: damaged\n' })
  expect(asked[0]).toMatchObject({ directory: 'd', shards: 8 })
})

test('the nats.conf of this repository routes for the default shard count', () => {
  expect(readFileSync('nats.conf', 'utf8')).toContain(mappingsBlock({ prefix: 'kv', shardCount: 16 }))
})
