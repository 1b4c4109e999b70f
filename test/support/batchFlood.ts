/** A client of the batch door that does not wait: everything at once, and then the answers. */

import { randomBytes } from 'node:crypto'
import { OpCode } from '../../actors/shard/operation.ts'
import { encodeClientFrame } from '../../bus/codec/batch.ts'
import { decodeNodeFrame } from '../../bus/codec/batchAnswers.ts'
import { batchSubject } from '../../bus/subjects.ts'
import { shardOf } from '../../topology/hash.ts'
import { shardId } from '../../topology/ids.ts'
import { until } from './until.ts'
import type { NodeFrame } from '../../bus/codec/batchAnswers.ts'
import type { Bus } from '../../bus/port.ts'
import type { NodeId } from '../../topology/ids.ts'

const ANSWERED_WITHIN_MS = 60_000

export interface Flood {
  readonly node: NodeId
  readonly shardCount: number
  readonly batches: number
  readonly operations: number
}

/** Puts of shard 0's keys, at a node; every answer, when all have come. */
export const floodBatchDoor = async (bus: Bus, { node, shardCount, batches, operations }: Flood): Promise<readonly NodeFrame[]> => {
  const inbox = `_INBOX.flood.${randomBytes(8).toString('hex')}`
  const heard: NodeFrame[] = []
  const subscription = bus.subscribe(inbox, ({ data }) => {
    const decoded = decodeNodeFrame(Uint8Array.from(data))
    if (decoded.ok) heard.push(decoded.frame)
  })
  const send = (frame: Uint8Array): string => bus.publish(batchSubject('kv', node), frame, { reply: inbox })
  send(encodeClientFrame({ kind: 'hello', protocol: 1 }))
  await until(() => heard.length > 0, 'the node opens a session', ANSWERED_WITHIN_MS)
  const [welcome] = heard
  if (welcome?.kind !== 'welcome') throw new Error(`the node opens no session: ${JSON.stringify(welcome)}`)
  const groups = [{ shard: shardId(0), operations: putsOfShard0(shardCount, operations) }]
  for (let sequence = 1; sequence <= batches; sequence += 1) {
    const frame = { kind: 'batch', session: welcome.session, sequence, timeoutMs: 30_000, consistency: 'linearizable', groups } as const
    if (send(encodeClientFrame(frame)) !== 'sent') throw new Error('a batch was not sent')
  }
  await until(() => heard.filter(isEnd).length >= batches, 'every batch is answered', ANSWERED_WITHIN_MS)
  subscription.unsubscribe()
  return heard
}

const isEnd = (frame: NodeFrame): boolean => frame.kind === 'refused' || (frame.kind === 'results' && frame.isLast)

const putsOfShard0 = (shardCount: number, count: number) => {
  const keys: string[] = []
  for (let n = 0; keys.length < count; n += 1) if (shardOf(`k${n}`, shardCount) === 0) keys.push(`k${n}`)
  return keys.map((key) => ({ code: OpCode.put, key, value: new Uint8Array(128) }))
}
