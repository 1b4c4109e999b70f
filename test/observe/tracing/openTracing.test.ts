/** Tracing of a process, put together: what becomes of every span of its sampled requests, also where nobody takes them. */

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

const request: ArrivedRequest =
  { op: 'put', shard: shardId(1), key: 'k', parent: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1 } }
const deaf: TraceListener = { begin: () => null, beginAtShard: ({ parent }) => ({ context: parent, end: () => {} }) }

const open = async (url: string) => {
  const warned: unknown[] = []
  const log: Logger = { ...silentLogger, warn: (...line: readonly unknown[]) => { warned.push(line) } }
  const tracing = await openTracing({
    settings: { otlp: { url, protocol: 'http/protobuf' }, ratio: 0, perSecondMax: 1_000 }, clock: createSystemClock(), log,
    node: 'n1', version: '1', env: {}, ids: createRandomIds(), random: Math.random, load: loadInstalled,
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
