/** The micro service protocol as NATS' own client and CLI read it (ADR-32). */

import { describe, expect, test } from '@jest/globals'
import { createMicro } from '../../gateway/micro.ts'
import { clusterId, nodeId } from '../../topology/ids.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { EndpointStats } from '../../gateway/micro.ts'

const ID = 'n1-0123456789abcdef'
const put: EndpointStats = { name: 'put', subject: 'kv.put.>', queueGroup: '', requests: 4, errors: 1, tookMs: 2 }
const identity = {
  name: 'shardkv', id: ID, version: '1.2.3',
  metadata: { cluster: '0123456789abcdef', node: 'n1', prefix: 'kv', shards: '16', help: 'kv.help' },
}

const OUTSTANDING_MAX = 1_000

const open = (endpoints: readonly EndpointStats[] = [put], outstandingBytes = 0) => {
  const { broker, pass } = createVirtualWorld()
  const bus = broker.connect({ name: 'node' })
  const micro = createMicro({
    bus: { ...bus, status: () => ({ ...bus.status(), outstandingBytes, outstandingBytesMax: OUTSTANDING_MAX }) },
    inboxPrefix: '_INBOX.', cluster: clusterId('0123456789abcdef'), self: nodeId('n1'), prefix: 'kv',
    shardCount: 16, version: '1.2.3', startedAtMs: Date.UTC(2026, 0, 2), endpoints: () => endpoints,
  })
  micro.open()
  const client = broker.connect({ name: 'client' })
  const heard: unknown[] = []
  for (const inbox of ['_INBOX.me', 'skv.forged', '_INBOX.skv-nodes.1.7']) {
    client.subscribe(inbox, ({ data }) => {
      // Nobody was there: the broker's own empty answer.
      if (data.length > 0) heard.push(JSON.parse(new TextDecoder().decode(data)))
    })
  }
  const ask = (subject: string, reply = '_INBOX.me'): readonly unknown[] => {
    heard.length = 0
    client.publish(subject, new Uint8Array(0), { reply })
    pass(5)
    return [...heard]
  }
  return { ask, micro }
}

describe('a node as a micro service', () => {
  test.each(['$SRV.PING', '$SRV.PING.shardkv', `$SRV.PING.shardkv.${ID}`])('says who it is on %s', (subject) => {
    expect(open().ask(subject)).toEqual([{ type: 'io.nats.micro.v1.ping_response', ...identity }])
  })

  test('leaves the connection to beacons and the failure detector when a quarter of what it may hold has not been taken', () => {
    expect(open([put], OUTSTANDING_MAX / 4).ask('$SRV.PING')).toHaveLength(1)
    expect(open([put], OUTSTANDING_MAX / 4 + 1).ask('$SRV.PING')).toEqual([])
  })

  test('tells its endpoints', () => {
    expect(open().ask('$SRV.INFO.shardkv')).toEqual([{
      type: 'io.nats.micro.v1.info_response', ...identity, description: expect.stringMatching(/key-value/),
      endpoints: [{ name: 'put', subject: 'kv.put.>', queue_group: '', metadata: null }],
    }])
  })

  test('tells what its endpoints have done, in nanoseconds', () => {
    const idle = { ...put, name: 'get', requests: 0, errors: 0, tookMs: 0 }
    expect(open([put, idle]).ask('$SRV.STATS')).toEqual([{
      type: 'io.nats.micro.v1.stats_response', ...identity, started: '2026-01-02T00:00:00.000Z',
      endpoints: [
        { name: 'put', subject: 'kv.put.>', queue_group: '', num_requests: 4, num_errors: 1, last_error: '', processing_time: 2_000_000,
          average_processing_time: 500_000 },
        expect.objectContaining({ name: 'get', num_requests: 0, average_processing_time: 0 }),
      ],
    }])
  })

  test('is silent to questions for others, to those who ask for the answer elsewhere, and once closed', () => {
    const { ask, micro } = open()
    expect(ask('$SRV.PING.other')).toEqual([])
    expect(ask('$SRV.PING', 'skv.forged')).toEqual([])
    expect(ask('$SRV.PING', '_INBOX.skv-nodes.1.7')).toEqual([])
    micro.close()
    expect(ask('$SRV.PING')).toEqual([])
  })
})
