/** The simulated client of the batch door turns to whoever is in the cluster now. */

import { expect, test } from '@jest/globals'
import { OpCode } from '../../actors/shard/operation.ts'
import { batchSubject } from '../../bus/subjects.ts'
import { createProcess, createTimeline } from '../../sim/clock.ts'
import { createDoor } from '../../sim/door.ts'
import { nodeId, shardId } from '../../topology/ids.ts'
import type { Bus } from '../../bus/port.ts'
import type { NodeId } from '../../topology/ids.ts'

/** Found by seed 175: a shard that a newcomer led was out of reach for clients that knew the first nodes alone. */
test('a node that joined is asked, too, when nobody else answers', () => {
  const timeline = createTimeline()
  const asked: string[] = []
  const bus: Pick<Bus, 'subscribe' | 'publish'> = {
    subscribe: () => ({ unsubscribe: () => {} }) as unknown as ReturnType<Bus['subscribe']>,
    publish: (subject) => {
      asked.push(subject)
      return 'sent'
    },
  }
  let nodes: readonly NodeId[] = [nodeId('n1')]
  const door = createDoor({ client: 1, process: createProcess('c1'), bus: bus as Bus, timeline, nodes: () => nodes, timeoutMs: 100 })
  const send = (): void => {
    door.send(shardId(0), { code: OpCode.touch, key: 'k' }, () => {})
    timeline.runUntil(timeline.now() + 1_000)
  }
  send()
  nodes = [nodeId('n1'), nodeId('n4')]
  send()
  expect(asked).toEqual([batchSubject('kv', nodeId('n1')), batchSubject('kv', nodeId('n4'))])
})
