/** A client of the batch door asks the nodes that the cluster's map names, as it has heard it, and no others. */

import { expect, test } from '@jest/globals'
import { followNodes } from '../../chaos/clients/mapNodes.ts'
import { nodeId } from '../../topology/ids.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { Headers } from '../../bus/port.ts'

const first = ['n1', 'n2', 'n3'].map(nodeId)
const mapOf = (epoch: number, nodes: readonly string[]): string => JSON.stringify({
  cluster: '00000000c0ffee00', epoch, shardCount: 2, replicas: [nodes.map((id) => `${id}:1`), nodes.toReversed().map((id) => `${id}:1`)],
  leaders: [null, null],
})

const following = () => {
  const { broker, clock, pass } = createVirtualWorld()
  const node = broker.connect({ name: 'n1' })
  const answer: { text: string; headers?: Headers } = { text: mapOf(1, ['n1', 'n2', 'n3']) }
  node.subscribe('kv.map', ({ reply }) => {
    node.publish(reply, new TextEncoder().encode(answer.text), answer.headers === undefined ? {} : { headers: answer.headers })
  })
  const nodes = followNodes({ bus: broker.connect({ name: 'batches' }), clock, first })
  pass(1_000)
  return { nodes, answer, pass }
}

test('nodes that joined and left are known when something failed and the map is asked for again', () => {
  const { nodes, answer, pass } = following()
  answer.text = mapOf(2, ['n4', 'n2', 'n3'])
  pass(10_000)
  expect(nodes.current()).toEqual(['n1', 'n2', 'n3'])
  nodes.refresh()
  pass(1_000)
  expect(nodes.current()).toEqual(['n2', 'n3', 'n4'])
  nodes.close()
})

test('an answer that is no map changes nothing', () => {
  const { nodes, answer, pass } = following()
  answer.text = '{}'
  nodes.refresh()
  pass(1_000)
  answer.text = mapOf(3, [])
  nodes.refresh()
  pass(1_000)
  expect(nodes.current()).toEqual(['n1', 'n2', 'n3'])
  nodes.close()
})
