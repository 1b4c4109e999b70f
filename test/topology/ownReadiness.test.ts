/** `/readyz` of a whole node: what anybody may ask for as often as he likes costs little, and tells at once what decides. */

import { expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { startNodeOfTest } from '../support/nodeOfTest.ts'

const QUESTIONS = 100

test('a node that is asked whether it is ready reads no histogram', () => {
  const { node, send, pass } = startNodeOfTest()
  for (const key of ['a', 'b', 'c', 'd']) send(`kv.put.${key}`, 'v')
  pass(1_000)
  let read = 0
  for (const { actor: { meter } } of must(node.parts(), 'parts').host.all()) {
    for (const histogram of [meter.reads, meter.writes]) {
      const { sparse } = histogram
      Object.assign(histogram, { sparse: () => { read += 1; return sparse() } })
    }
  }
  const answers = Array.from({ length: QUESTIONS }, () => node.readiness())
  expect([answers.every(({ ready }) => ready), read]).toEqual([true, 0])
  node.report()
  expect(read).toBeGreaterThan(0)
})

test('a node that was ready and is told to drain, or whose broker goes, is not from that moment', () => {
  const drained = startNodeOfTest()
  expect(drained.node.readiness().ready).toBe(true)
  drained.node.drain()
  expect(drained.node.readiness()).toMatchObject({ ready: false, waitingFor: ['the node to serve (it is draining)'] })

  const cutOff = startNodeOfTest()
  expect(cutOff.node.readiness().ready).toBe(true)
  cutOff.broker.disconnect('n1')
  expect(cutOff.node.readiness()).toMatchObject({ ready: false, waitingFor: ['the broker'] })
})
