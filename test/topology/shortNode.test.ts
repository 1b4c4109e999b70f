/** A whole node that is short of memory as the test says it: what clients are told, and what the node says of itself. */

import { expect, test } from '@jest/globals'
import { startNodeOfTest } from '../support/nodeOfTest.ts'
import type { MemoryUse } from '../../observe/memoryRoom.ts'

const use = (liveBytes: number): MemoryUse => ({ liveBytes, usedBytes: liveBytes, limitBytes: 100 })

test('a node that is short of memory refuses what grows, serves on, says so, and takes writes again when it is not', async () => {
  let live = 10
  let nudges = 0
  const memory = {
    uses: () => ({ heap: use(10), process: { ...use(live), residentBytes: live } }), collections: () => 0, nudge: () => { nudges += 1 },
  }
  const { node, client, send, pass, scrape } = startNodeOfTest({ memory })
  const replies: (string | undefined)[] = []
  client.subscribe('_INBOX.me', ({ headers }) => replies.push(headers?.get('Kv-Status')))
  const answered = (...operations: readonly string[]): readonly (string | undefined)[] => {
    replies.length = 0
    for (const operation of operations) {
      send(`kv.${operation}`)
      pass(100)
    }
    return [...replies]
  }
  expect(answered('put.a', 'put.b')).toEqual(['OK', 'OK'])
  live = 80
  pass(500)
  expect(answered('put.c', 'get.a', 'del.a', 'get.a')).toEqual(['NO_SPACE', 'OK', 'OK', 'NOT_FOUND'])
  expect(node.report().node.memory).toEqual({ shortage: 'process', heap: use(10), process: { ...use(80), residentBytes: 80 } })
  expect(node.readiness()).toMatchObject({ ready: true, warnings: [expect.stringContaining('NO_SPACE')] })
  const { value } = await scrape()
  expect([value('shardkv_memory_short', { of: 'process' }), value('shardkv_memory_live_bytes')]).toEqual([1, 80])
  pass(6_000)
  expect(nudges).toBeGreaterThan(0)
  live = 50
  pass(500)
  expect(answered('put.a')).toEqual(['OK'])
  expect(node.readiness().warnings).toEqual([])
})
