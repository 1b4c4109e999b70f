/** The chaos lane's client of the batch door asks for what its history says. */

import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { decodeClientFrame } from '../../bus/codec/batch.ts'
import { encodeNodeFrame } from '../../bus/codec/batchAnswers.ts'
import { batchOver } from '../../chaos/clients/batches.ts'
import { nodeId } from '../../topology/ids.ts'
import type { Bus, Inbound } from '../../bus/port.ts'

/** Longer than a call may take. */
const OVER_MS = 5_000

beforeEach(() => { jest.useFakeTimers() })
afterEach(() => { jest.useRealTimers() })

/** Welcomes everybody and answers nothing else; notes the consistency of each batch. */
const busOfNode = (asked: string[]): Bus => {
  const handlers = new Map<string, (message: Inbound) => void>()
  return {
    subscribe: (subject: string, handler: (message: Inbound) => void) => {
      handlers.set(subject, handler)
      return { unsubscribe: () => { handlers.delete(subject) } }
    },
    publish: (_subject: string, data: Uint8Array, { reply = '' }: { reply?: string } = {}) => {
      const decoded = decodeClientFrame(data)
      if (decoded.ok && decoded.frame.kind === 'batch') asked.push(decoded.frame.consistency)
      else {
        const welcome = encodeNodeFrame({ kind: 'welcome', session: '0011223344556677', node: nodeId('n1'), shardCount: 1, epoch: 0 })
        handlers.get(reply)?.({ subject: reply, data: welcome } as Inbound)
      }
      return 'sent'
    },
  } as unknown as Bus
}

test('a read by the lease is asked for as one, and others are not', async () => {
  const asked: string[] = []
  const nodes = { current: () => [nodeId('n1')], refresh: () => {}, close: () => {} }
  const way = batchOver({ bus: busOfNode(asked), nodes, shardCount: 1, connection: 0 })()
  for (const consistency of ['lease', 'linearizable', 'lease'] as const) {
    const outcome = way.perform('k', { kind: 'get' }, consistency)
    await jest.advanceTimersByTimeAsync(OVER_MS)
    expect(await outcome).toEqual({ kind: 'unknown' })
  }
  expect(asked).toEqual(['lease', 'linearizable', 'lease'])
})
