/**
 * compose.yaml, the Dockerfile and what they mount, as far as they can be judged without an engine: against the specification's schema,
 * against each other, and against this program. test/e2e/compose.test.ts and watchers.test.ts run the commands.
 */

import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { parse } from 'yaml'
import { must } from '../../actors/kernel/assert.ts'
import { buildProgram } from '../../cli/program.ts'
import { TOKEN_CHARACTERS_MIN } from '../../gateway/admin/guard.ts'
import { NATS_SERVER_VERSION } from '../../topology/launcher/natsRelease.ts'
import { fakeTerminal } from '../cli/fakes.ts'
import { mountsOf, readCompose } from './composeFile.ts'
import { copiedFromContext, readDockerfile } from './dockerfile.ts'
import type { AnySchema } from 'ajv'
import type { Service } from './composeFile.ts'

const compose = readCompose()
const services = Object.entries(compose.services)
const service = (name: string): Service => must(compose.services[name], `the service ${name}`)
const brokers = services.filter(([, { image }]) => image.startsWith('nats:'))
const ours = services.filter(([, { image }]) => image === 'shardkv')
const nodes = ours.filter(([, { command }]) => command?.[0] === 'node')
const hosts = new Set([...services.map(([name]) => name), ...brokers.flatMap(([, { networks }]) => networks?.['default']?.aliases ?? [])])
const read = (path: string): string => readFileSync(path, 'utf8')

describe('compose.yaml', () => {
  test('is what the specification allows', () => {
    const schema = JSON.parse(read('test/compose/compose-spec.json')) as AnySchema
    const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { duration: true } })
    expect([ajv.validate(schema, compose), ajv.errors]).toEqual([true, null])
    expect(ajv.validate(schema, { services: { n1: { imagine: 'shardkv' } } })).toBe(false)
  })

  test('has by itself one broker and three nodes; the rest belongs to a profile', () => {
    expect(services.filter(([, { profiles }]) => profiles === undefined).map(([name]) => name)).toEqual(['nats', 'setup', 'n1', 'n2', 'n3'])
    const of = (profile: string) => services.filter(([, { profiles }]) => profiles?.includes(profile)).map(([name]) => name)
    expect([of('cluster'), of('observability'), of('loki')]).toEqual([['nats-2', 'nats-3'], ['jaeger', 'prometheus', 'grafana'], ['loki']])
  })

  test('mounts files that exist, volumes and configs that it declares, and declares no others', () => {
    const mounts = services.flatMap(([, each]) => mountsOf(each).map(({ source }) => source))
    for (const path of mounts.filter((source) => source.startsWith('./'))) expect([path, existsSync(path)]).toEqual([path, true])
    const named = new Set(mounts.filter((source) => !source.startsWith('./')))
    expect([...named].toSorted()).toEqual(Object.keys(compose.volumes).toSorted())
    expect(services.flatMap(([, { configs = [] }]) => configs)).toEqual(Object.keys(compose.configs))
  })

  test('publishes every port once, on this machine alone unless told otherwise', () => {
    const published = (variables: Record<string, string>) =>
      Object.values(readCompose(variables).services).flatMap(({ ports = [] }) => ports)
    const [addresses, ports] = [0, 1].map((at) => published({}).map((port) => port.split(':')[at]))
    expect(new Set(addresses)).toEqual(new Set(['127.0.0.1']))
    expect(new Set(ports).size).toBe(ports?.length)
    expect(published({ BIND_ADDRESS: '0.0.0.0' }).every((port) => port.startsWith('0.0.0.0:'))).toBe(true)
  })

  test('waits only for what runs wherever the waiting one does, and can become what is waited for', () => {
    for (const [name, { depends_on: others = {}, profiles = [] }] of services) {
      for (const [other, { condition }] of Object.entries(others)) {
        const target = service(other)
        expect([name, other, (target.profiles ?? profiles).toSorted()]).toEqual([name, other, profiles.toSorted()])
        if (condition === 'service_healthy') expect(target.healthcheck).toBeDefined()
        else expect([condition, target.restart]).toEqual(['service_completed_successfully', 'no'])
      }
    }
  })

  test('asks everything that stays whether it is well', () => {
    expect(services.filter(([, { healthcheck }]) => healthcheck === undefined).map(([name]) => name)).toEqual(['setup'])
  })

  test('takes rights away: no capability, no new privilege, nothing to write to but volumes', () => {
    for (const [name, each] of services) {
      expect([name, each.cap_drop, each.security_opt]).toEqual([name, ['ALL'], ['no-new-privileges:true']])
      expect([name, each.read_only]).toEqual([name, name !== 'prometheus'])
    }
  })

  test('names whole versions, and of nats-server the one that the tests run on', () => {
    for (const [, { image, build }] of services) if (build === undefined) expect(image).toMatch(/:v?\d+\.\d+\.\d+(?:-alpine)?$/)
    expect(brokers.map(([, { image }]) => image)).toEqual(brokers.map(() => `nats:${NATS_SERVER_VERSION}-alpine`))
  })
})

describe('the nodes of compose.yaml', () => {
  const [, command] = must(nodes[0], 'a node')
  const program = buildProgram(fakeTerminal(null).io, [])
  const options = must(program.commands.find((each) => each.name() === 'node'), 'the command node').options
  const known = new Set(options.map(({ envVar }) => envVar))

  test('are told nothing that shardkv does not read; OTEL_ belongs to OpenTelemetry', () => {
    for (const [name] of Object.entries(command.environment ?? {})) {
      expect([name, known.has(name) || name.startsWith('OTEL_')]).toEqual([name, true])
    }
  })

  test('are started again when they fail, and not when they have been drained; what has no such end, whatever it ends with', () => {
    expect(nodes.map(([, { restart }]) => restart)).toEqual(nodes.map(() => 'on-failure'))
    const others = services.filter(([name]) => name !== 'setup' && !nodes.some(([node]) => node === name))
    expect(others.map(([, { restart }]) => restart)).toEqual(others.map(() => 'unless-stopped'))
  })

  test('are given tokens that are long enough; the admin API has none unless the shell has one', () => {
    expect(command.environment?.['SHARDKV_ADMIN_TOKEN']).toBeNull()
    expect(command.environment?.['SHARDKV_METRICS_TOKEN']?.length).toBeGreaterThanOrEqual(TOKEN_CHARACTERS_MIN)
  })

  test('export traces only when told where to', () => {
    const endpoint = (variables: Record<string, string>) =>
      readCompose(variables).services['n1']?.environment?.['OTEL_EXPORTER_OTLP_ENDPOINT']
    expect([null, '']).toContain(endpoint({}))
    expect(endpoint({ TRACES_TO: 'http://jaeger:4317' })).toBe('http://jaeger:4317')
  })

  test('are those that `init` makes, on one volume, and the broker maps as many shards', () => {
    const { command: words = [] } = service('setup')
    const flag = (name: string) => words[words.indexOf(name) + 1]
    expect(flag('--nodes')).toBe(String(nodes.length))
    expect(nodes.map(([name, each]) => [name, each.command?.slice(1)])).toEqual(
      nodes.map(([name]) => [name, ['--id', name, '--dir', `${flag('--dir')}/${name}`]]))
    expect(ours.every(([, each]) => mountsOf(each).some(({ target }) => target === flag('--dir')))).toBe(true)
    expect(read('nats.conf')).toContain(`{{partition(${flag('--shards')},2)}}`)
  })

  test('find every broker by the name that all brokers share', () => {
    expect(brokers.every(([, { networks }]) => networks?.['default']?.aliases.includes('brokers'))).toBe(true)
    expect(new URL(command.environment?.['SHARDKV_SERVERS'] ?? '').host).toBe('brokers:4222')
  })
})

test('of every two brokers one dials the other, so that any may be away and come back', () => {
  const dials = (from: string, to: string) => service(from).command?.some((word) => word.includes(`nats://${to}:6222`)) === true
  const names = brokers.map(([name]) => name)
  for (const a of names) for (const b of names) if (a !== b) expect([a, b, dials(a, b) || dials(b, a)]).toEqual([a, b, true])
})

describe('what watches the nodes', () => {
  interface PrometheusConfig {
    readonly rule_files: readonly string[]
    readonly scrape_configs: readonly [{
      readonly job_name: string
      readonly authorization: { readonly credentials_file: string }
      readonly static_configs: readonly [{ readonly targets: readonly string[] }]
    }]
  }
  interface DataSource {
    readonly uid: string
    readonly type: string
    readonly url: string
    readonly jsonData?: {
      readonly exemplarTraceIdDestinations?: readonly { readonly datasourceUid: string }[]
      readonly derivedFields?: readonly { readonly datasourceUid: string }[]
    }
  }
  const inContainer = (name: string, path: string): string => {
    const mount = mountsOf(service(name)).find(({ target }) => path === target || path.startsWith(`${target}/`))
    return mount === undefined ? '' : join(mount.source, path.slice(mount.target.length))
  }
  const { datasources } = parse(read('observe/grafana/provisioning/datasources/shardkv.yaml')) as { datasources: DataSource[] }

  test('is, for metrics, Prometheus: it asks every node, with the token that they have, and has the rules', () => {
    const path = must(service('prometheus').command?.find((word) => word.startsWith('--config.file=')), 'a file').split('=')[1] ?? ''
    const config = parse(read(inContainer('prometheus', path))) as PrometheusConfig
    const [job] = config.scrape_configs
    const port = nodes[0]?.[1].environment?.['SHARDKV_HTTP_PORT']
    expect(job.static_configs[0].targets).toEqual(nodes.map(([name]) => `${name}:${port}`))
    expect(service('prometheus').configs?.map((name) => `/${name}`)).toEqual([job.authorization.credentials_file])
    const { services: { n1 }, configs } = readCompose({ SHARDKV_METRICS_TOKEN: 'another-token-of-mine' })
    expect(n1?.environment?.['SHARDKV_METRICS_TOKEN']).toBe(configs['metrics-token']?.content)
    for (const file of config.rule_files) expect(existsSync(inContainer('prometheus', join(dirname(path), file)))).toBe(true)
    expect(read('observe/prometheus/alerts.yml')).toContain(`job="${job.job_name}"`)
  })

  test('is, for eyes, Grafana: its sources are services of this file, at ports that those have', () => {
    const ports: Readonly<Record<string, string>> = { prometheus: '9090', jaeger: '16686', loki: '3100' }
    expect(datasources.map(({ type, url }) => [type, url])).toEqual(
      Object.entries(ports).map(([name, port]) => [name, `http://${name}:${port}`]))
    for (const { url } of datasources) expect([...hosts]).toContain(new URL(url).hostname)
    const linked = datasources.flatMap(({ jsonData = {} }) =>
      [...(jsonData.exemplarTraceIdDestinations ?? []), ...(jsonData.derivedFields ?? [])].map(({ datasourceUid }) => datasourceUid))
    expect(linked).toEqual(['jaeger', 'jaeger'])
    expect(datasources.map(({ uid }) => uid)).toContain('jaeger')
  })

  test('has the dashboard, whose panels ask what is chosen there: the default, which is Prometheus', () => {
    const provided = parse(read('observe/grafana/provisioning/dashboards/shardkv.yaml')) as { providers: { options: { path: string } }[] }
    const path = `${must(provided.providers[0], 'a provider').options.path}/shardkv.json`
    expect(inContainer('grafana', path)).toBe('observe/grafana/shardkv.json')
    expect(service('grafana').environment?.['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH']).toBe(path)
    const asked = [...read('observe/grafana/shardkv.json').matchAll(/"type": "prometheus",\s*"uid": "([^"]+)"/g)].map(([, uid]) => uid)
    const uids = datasources.filter(({ type }) => type === 'prometheus').map(({ uid }) => uid)
    expect([...new Set(asked)].filter((uid) => !['${datasource}', ...uids].includes(uid ?? ''))).toEqual([])
  })
})

describe('the Dockerfile', () => {
  const [build, image] = readDockerfile()
  const copied = copiedFromContext(must(build, 'the stage that builds')).map((path) => normalize(path))

  test('copies what is there and not ignored', () => {
    const ignored = new Set(read('.dockerignore').split('\n').filter((line) => line !== ''))
    for (const path of copied) expect([path, existsSync(path), ignored.has(path)]).toEqual([path, true, false])
    expect([...ignored]).toEqual(expect.arrayContaining(['**/node_modules', 'dist', '.git']))
  })

  test('copies everything that the build reads: what is imported, and what bin/bootstrap.mjs names', () => {
    const isCopied = (path: string): boolean => copied.some((each) => path === each || path.startsWith(`${each}/`))
    const sources = copied.filter((path) => !path.includes('.'))
      .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)))
      .filter((name) => /\.(?:ts|mjs)$/.test(name))
    const built = sources.filter((path) => !path.startsWith('bin/') && !path.startsWith('scripts/'))
      .concat('bin/build.mjs', 'bin/bootstrap.mjs', 'scripts/page.mjs')
    const imported = built.flatMap((path) => [...read(path).matchAll(/(?:from|import) '(\.\.?\/[^']+)'/g)]
      .map(([, target = '']) => normalize(join(dirname(path), target))))
    const settings = /settings = \[([^\]]+)\]/.exec(read('bin/bootstrap.mjs'))?.[1] ?? ''
    const named = [...settings.matchAll(/'([^']+)'/g)].map(([, path = '']) => path)
    expect(named).toContain('scripts/page.mjs')
    expect([...new Set([...imported, ...named])].filter((path) => !isCopied(path))).toEqual([])
  })

  test('ends in an image that is not root, has no build tools, and names no processor', () => {
    const { from, instructions } = must(image, 'the stage that runs')
    expect(from).toBe('${RUNTIME}')
    expect(instructions.filter(({ name }) => name === 'USER').at(-1)?.text).toMatch(/^[1-9]\d*:[1-9]\d*$/)
    expect(instructions.some(({ name }) => name === 'RUN')).toBe(false)
    expect(read('Dockerfile').replaceAll(/^#.*$/gm, '')).not.toMatch(/--platform|amd64|arm64|x86/)
  })

  test('builds with the Node that it runs on', () => {
    const version = /^node:(\d+)\./.exec(must(build, 'the stage that builds').from)?.[1]
    expect(read('Dockerfile')).toContain(`ARG RUNTIME=gcr.io/distroless/nodejs${version}-debian12:nonroot`)
  })

  test('runs, in a container, the program that the package has', () => {
    const entry = must(image, 'the stage that runs').instructions.find(({ name }) => name === 'ENTRYPOINT')
    expect(JSON.parse(entry?.text ?? '')).toEqual(['/nodejs/bin/node', '/app/dist/cli/entry.js'])
    expect(existsSync('cli/entry.ts')).toBe(true)
  })
})
