/** The generated configuration, as text. What a server makes of it: routing.test.ts and permissions.test.ts. */

import { describe, expect, test } from '@jest/globals'
import { mappingsBlock, permissionsBlock, serverConfig } from '../../bus/natsConfig.ts'
import { clusterId, nodeId } from '../../topology/ids.ts'

const cluster = clusterId('0123456789abcdef')

describe('the configuration for nats-server', () => {
  test('maps single keys to the slot of their shard', () => {
    expect(mappingsBlock({ prefix: 'data', shardCount: 32 })).toBe([
      'mappings = {',
      '  "data.*.*":   "data.slot.{{partition(32,2)}}.{{wildcard(1)}}.{{wildcard(2)}}"',
      '  "data.*.*.*": "data.slot.{{partition(32,2)}}.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}"',
      '}',
      '',
    ].join('\n'))
  })

  test('names what each user may do; everything else is denied', () => {
    expect(permissionsBlock({
      cluster, prefix: 'kv',
      nodes: [{ user: 'n1', password: '$N1_PASSWORD', node: nodeId('n1') }],
      clients: [{ user: 'app', password: '$2a$11$hash' }],
    })).toBe([
      'authorization = {',
      '  users = [',
      '    {',
      '      user = "n1", password = $N1_PASSWORD',
      '      permissions = {',
      '        publish = { allow = [',
      '          "skv.0123456789abcdef.*.*.n1"',
      '          "_INBOX.>"',
      '          "kv-changed.>"',
      '          "kv.status"',
      '          "kv.routing-check.*"',
      '          "kv.slot.*.routing-check.*"',
      '        ] }',
      '        subscribe = { allow = [',
      '          "skv.0123456789abcdef.*.n1.*"',
      '          "skv.0123456789abcdef.*.all.*"',
      '          "kv.slot.>"',
      '          "kv.to.n1.>"',
      '          "kv.*"',
      '          "kv.*.*"',
      '          "kv.*.*.*"',
      '          "$SRV.>"',
      '          "_INBOX.>"',
      '        ] }',
      '      }',
      '    }',
      '    {',
      '      user = "app", password = "$2a$11$hash"',
      '      permissions = {',
      '        publish = { allow = [',
      '          "kv.>"',
      '          "$SRV.>"',
      '        ] }',
      '        subscribe = { allow = [',
      '          "_INBOX.>"',
      '          "kv-changed.>"',
      '        ], deny = ["_INBOX.skv-nodes.>"] }',
      '      }',
      '    }',
      '  ]',
      '}',
      '',
    ].join('\n'))
  })

  test('is whole: address, pid file, payload, pings, mappings, users', () => {
    const text = serverConfig({
      host: '127.0.0.1', port: 4333, prefix: 'kv', shardCount: 16, pidFile: '/run/nats "1".pid', maxPayloadBytes: 65_536,
      permissions: { cluster, nodes: [], clients: [] },
    })
    expect(text).toMatch(/^listen = "127\.0\.0\.1:4333"\npid_file = "\/run\/nats \\"1\\"\.pid"\nmax_payload = 65536\n/)
    expect(text).toContain('ping_interval = "5s"')
    expect(text).toContain(mappingsBlock({ prefix: 'kv', shardCount: 16 }))
    expect(text).toContain('authorization = {')
    expect(text).not.toMatch(/jetstream/i)
  })

  test.each([
    ['a prefix that is no token', { prefix: 'k.v', shardCount: 16 }],
    ['no shards', { prefix: 'kv', shardCount: 0 }],
    ['too many shards', { prefix: 'kv', shardCount: 1_025 }],
    ['half a shard', { prefix: 'kv', shardCount: 1.5 }],
  ])('is not made for %s', (_name, input) => {
    expect(() => mappingsBlock(input)).toThrow()
  })

  test('takes no control characters into names and passwords', () => {
    expect(() => permissionsBlock({ cluster, prefix: 'kv', nodes: [], clients: [{ user: 'a\n}', password: 'x' }] })).toThrow(/printable/)
  })
})
