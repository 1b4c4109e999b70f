/**
 * Tracing of a process, put together: what becomes of every span of its sampled requests, also where nobody takes them; and where the
 * packages of an exporter are not installed it depends on who asked for them.
 */

import { createServer } from 'node:http'
import { expect, test } from '@jest/globals'
import { silentLogger } from '../../../actors/kernel/log.ts'
import { createSystemClock } from '../../../actors/kernel/systemClock.ts'
import { openTracing } from '../../../observe/tracing/openTracing.ts'
import { loadInstalled } from '../../../observe/tracing/otlp.ts'
import { createRandomIds } from '../../../observe/tracing/randomIds.ts'
import { shardId } from '../../../topology/ids.ts'
import type { AddressInfo } from 'node:net'
import type { Logger } from '../../../actors/kernel/log.ts'
import type { ArrivedRequest, TraceListener } from '../../../gateway/tracing.ts'
import type { ProcessTracing } from '../../../observe/tracing/openTracing.ts'

const request: ArrivedRequest =
  { op: 'put', shard: shardId(1), key: 'k', parent: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1 } }
const deaf: TraceListener = { begin: () => null, beginAtShard: ({ parent }) => ({ context: parent, end: () => {} }) }

const open = async (url: string) => {
  const warned: unknown[] = []
  const log: Logger = { ...silentLogger, warn: (...line: readonly unknown[]) => { warned.push(line) } }
  const tracing = await openTracing({
    settings: { otlp: { url, protocol: 'http/protobuf' }, isAsked: true, ratio: 0, ratioAlone: 0, perSecondMax: 1_000 },
    clock: createSystemClock(), log, node: 'n1', version: '1', env: {}, ids: createRandomIds(), random: Math.random, load: loadInstalled,
  })
  return { tracing, port: tracing.join(deaf), warned }
}

test('each span that was begun is exported, refused or dropped for a reason, and the log says what the end took along', async () => {
  const server = createServer((inbound, answer) => { inbound.resume().on('end', () => answer.writeHead(400).end()) })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const { tracing, port, warned } = await open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`)
  const spans = Array.from({ length: 10 }, () => port.begin(request))
  for (const span of spans.slice(3)) span?.end('OK')
  await tracing.close()
  server.closeAllConnections()
  server.close()
  spans[0]?.end('OK')
  expect(tracing.counts()).toEqual({
    sampled: 10, limited: 0, exported: 0, failed: 7, waiting: 0, dropped: { queue: 0, open: 0, children: 0, end: 3 },
  })
  expect(warned).toEqual([
    [expect.objectContaining({ reason: expect.stringContaining('400') as unknown }), 'spans could not be exported and are lost'],
    [{ actor: 'traces', spans: 3 }, 'spans had not been exported when the process ended, and are lost'],
  ])
})

const missing = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })

const openWithout = (isAsked: boolean, failure: Error, warned: unknown[] = []): Promise<ProcessTracing> => openTracing({
  settings: { otlp: { url: 'http://collector:4317', protocol: 'grpc' }, isAsked, ratio: 1, ratioAlone: 0, perSecondMax: 9 },
  node: 'n1', version: '1.2.3', env: {}, clock: createSystemClock(), ids: createRandomIds(), random: () => 0,
  log: { ...silentLogger, warn: (fields, text) => { warned.push({ ...fields, text }) } },
  load: async () => { throw failure },
})

test('an endpoint that a flag of the node names needs its packages, and the error says which', async () => {
  const [exporter, resources] = ['@opentelemetry/exporter-trace-otlp-grpc', '@opentelemetry/resources']
  await expect(openWithout(true, missing)).rejects.toThrow(`${exporter} is not installed: npm install ${exporter} ${resources}`)
})

test('an endpoint of a whole machine\'s environment hinders no node: it warns, and samples nothing by itself', async () => {
  const warned: unknown[] = []
  const tracing = await openWithout(false, missing, warned)
  expect(warned).toEqual([{ actor: 'traces', reason: expect.stringContaining('is not installed'), text: 'spans are not exported' }])
  expect(tracing.join({ begin: () => null, beginAtShard: () => { throw new Error('nobody asked') } }).draw).toBeUndefined()
  await tracing.close()
})

test('a package that is there and does not load is an error, whoever asked for it', async () => {
  await expect(openWithout(false, new Error('broken'))).rejects.toThrow(/can not be loaded: broken/)
})
