/** `bench put`: durable writes. */

import { addThroughput } from './throughput.ts'
import type { Command } from 'commander'

export const putMix = { op: 'put', readShare: 0 }

export const addPut = (program: Command): void =>
  addThroughput(program, { name: 'put', description: 'durable writes a second, and their latency', mixes: [putMix] })
