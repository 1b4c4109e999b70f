/**
 * The batch door without a client library: the simulator's client of it (sim/door.ts), over a real broker and real time. It knows the nodes
 * that the cluster's map names (mapNodes.ts).
 */

import { operationOf, outcomeOfResult } from '../../sim/calls.ts'
import { createDoor } from '../../sim/door.ts'
import { createProcess } from '../../sim/clock.ts'
import { shardOf } from '../../topology/hash.ts'
import type { Bus } from '../../bus/port.ts'
import type { Door } from '../../sim/door.ts'
import type { NewWay } from './load.ts'
import type { MapNodes } from './mapNodes.ts'

const TIMEOUT_MS = 1_500

export interface BatchTarget {
  readonly bus: Bus
  readonly nodes: MapNodes
  readonly shardCount: number
  /** Of this connection, so that no two have the same inbox. */
  readonly connection: number
}

/** All clients of one connection share its doors: what they ask for in one turn is one batch. A batch has one consistency for all of it. */
export const batchOver = ({ bus, nodes, shardCount, connection }: BatchTarget): NewWay => {
  const open = (consistency: 'linearizable' | 'lease', number: number): Door => createDoor({
    client: process.pid * 1_000 + connection * 2 + number, bus, nodes: nodes.current, timeoutMs: TIMEOUT_MS, consistency,
    process: createProcess('batches'),
    timeline: {
      schedule: (delayMs, run) => {
        const timer = setTimeout(run, delayMs)
        return () => clearTimeout(timer)
      },
    },
  })
  const [confirmed, leased] = [open('linearizable', 0), open('lease', 1)]
  return () => ({
    name: 'batch',
    perform: (key, call, consistency) => new Promise((resolve) => {
      const door = consistency === 'lease' ? leased : confirmed
      door.send(shardOf(key, shardCount), operationOf({ call, key }, undefined), (result) => {
        const outcome = outcomeOfResult(call, result)
        if (outcome.kind !== 'answered') nodes.refresh()
        resolve(outcome)
      })
    }),
  })
}
