/** From what nodes say of their doors to what the Cluster view shows of requests: rates and percentiles, by operation and node. */

import { describe, expect, test } from '@jest/globals'
import { OpCode } from '../../../actors/shard/operation.ts'
import { createInstruments } from '../../../observe/instruments.ts'
import { operationTimes } from '../../../observe/operationTimes.ts'
import { createLoads } from '../../../observe/page/loads.ts'
import { decodeActors, encodeJson } from '../../../observe/recorder/wire.ts'
import type { NodeActors } from '../../../observe/recorder/wire.ts'

const nodeOfTest = (node: string) => {
  const { ports, records } = createInstruments(() => 0)
  return { ports, says: (at: number): NodeActors => ({ node, at, actors: [], operations: operationTimes(records) }) }
}

describe('what a node says of its doors', () => {
  test('is of both doors, only of what came, and comes over the bus as it was', () => {
    const { ports, says } = nodeOfTest('n1')
    expect(says(1).operations).toEqual([])
    ports.natsDoor.took(OpCode.put, 1, 1)
    ports.batchDoor.took(OpCode.put, 1, 2)
    expect(says(1).operations).toEqual([{ op: 'put', micros: [expect.any(Number), 3] }])
    expect(decodeActors(encodeJson(says(1)))).toEqual(says(1))
  })

  test('is nothing where an older node does not say it, and none where it is wrong', () => {
    const older = { node: 'n1', at: 1, actors: [] }
    expect(decodeActors(encodeJson(older))).toEqual({ ...older, operations: [] })
    const many = Array.from({ length: 65 }, () => ({ op: 'put', micros: [] }))
    const wrong = [1, [1], [{ op: 'put' }], [{ op: 1, micros: [] }], [{ op: 'put', micros: ['1', 2] }], many]
    for (const operations of wrong) {
      expect(decodeActors(encodeJson({ ...older, operations }))).toBeUndefined()
    }
  })
})

describe('loads', () => {
  test('are what happened between two answers, by operation and by node', () => {
    const loads = createLoads()
    const [one, two] = [nodeOfTest('n1'), nodeOfTest('n2')]
    one.ports.natsDoor.took(OpCode.get, 500, 1_000)
    loads.add([one.says(0), two.says(0)])
    expect(loads.rows()).toEqual([])
    one.ports.natsDoor.took(OpCode.put, 4, 60)
    two.ports.batchDoor.took(OpCode.put, 4, 39)
    two.ports.batchDoor.took(OpCode.put, 40, 1)
    loads.add([one.says(2_000), two.says(2_000)])
    const [put, ...others] = loads.rows()
    expect(others).toEqual([])
    expect(put).toMatchObject({ op: 'put', perSecond: 50 })
    expect(put?.medianMs).toBeCloseTo(4, 0)
    expect(put?.nodes.map(({ node, perSecond }) => [node, perSecond])).toEqual([['n1', 30], ['n2', 20]])
    expect(put?.nodes[0]?.p99Ms).toBeCloseTo(4, 0)
    expect((put?.nodes[1]?.p99Ms ?? 0) / 40).toBeCloseTo(1, 1)
  })

  test('forget what is older than their window, and a node that is gone', () => {
    const loads = createLoads()
    const [one, two] = [nodeOfTest('n1'), nodeOfTest('n2')]
    loads.add([one.says(0), two.says(0)])
    for (const { ports } of [one, two]) ports.natsDoor.took(OpCode.put, 1, 10)
    loads.add([one.says(2_000), two.says(2_000)])
    expect(loads.rows()[0]?.nodes).toHaveLength(2)
    loads.add([one.says(4_000)])
    expect(loads.rows()[0]?.nodes.map(({ node }) => node)).toEqual(['n1'])
    for (let at = 6_000; at <= 14_000; at += 2_000) loads.add([one.says(at)])
    expect(loads.rows()).toEqual([])
  })

  test('of a process that has started again are those since its start', () => {
    const loads = createLoads()
    const before = nodeOfTest('n1')
    before.ports.natsDoor.took(OpCode.put, 1, 100)
    loads.add([before.says(0)])
    const again = nodeOfTest('n1')
    again.ports.natsDoor.took(OpCode.put, 1, 4)
    loads.add([again.says(2_000)])
    expect(loads.rows()[0]?.perSecond).toBe(2)
  })
})
