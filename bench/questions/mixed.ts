/** `bench mixed`: reads and writes together, 95/5 and 50/50. */

import { addThroughput } from './throughput.ts'
import type { Command } from 'commander'

const mixes = [{ op: '95/5', readShare: 0.95 }, { op: '50/50', readShare: 0.5 }]

export const addMixed = (program: Command): void =>
  addThroughput(program, { name: 'mixed', description: 'reads and writes together, 95/5 and 50/50', mixes })
