/** `bench get`: linearizable reads of keys that exist. */

import { addThroughput } from './throughput.ts'
import type { Command } from 'commander'

export const getMix = { op: 'get', readShare: 1 }

export const addGet = (program: Command): void =>
  addThroughput(program, { name: 'get', description: 'linearizable reads a second, and their latency', mixes: [getMix] })
