/** `bench raw`: PUT and GET by raw NATS requests, as any NATS client asks, without an SDK. */

import { addThroughput } from './throughput.ts'
import { getMix } from './get.ts'
import { putMix } from './put.ts'
import type { Command } from 'commander'

export const addRaw = (program: Command): void => addThroughput(program, {
  name: 'raw', description: 'PUT and GET by raw NATS requests, without an SDK', mixes: [putMix, getMix], driver: 'requests',
})
