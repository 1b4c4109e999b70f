/** One node more for the product: a process as `shardkv node --join` makes it, on a new directory. */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sampleProcess } from '../sampling.ts'
import { createChildGroup } from './children.ts'
import type { ProductTarget } from './port.ts'

const CLI = fileURLToPath(new URL('../../cli/entry.js', import.meta.url))

export interface FourthNode {
  readonly id: string
  /** Resolves when it answers; whether it is a member, the cluster says. */
  readonly start: () => Promise<void>
  readonly hasEnded: () => Promise<boolean>
  /** Ends it if it runs, and removes its files. */
  readonly stop: () => Promise<void>
}

export const openFourthNode = async ({ at: { servers, prefix } }: ProductTarget): Promise<FourthNode> => {
  const id = 'n4'
  const group = await createChildGroup('elastic')
  let pid: number | undefined
  return {
    id,
    start: async () => {
      const pids = await group.start([{
        name: id,
        program: process.execPath,
        args: [
          CLI, 'node', '--join', '--id', id, '--dir', join(group.directory, id), '--servers', servers.join(','), '--prefix', prefix,
        ],
        readyLine: '"hasAdmin":true',
        isGuarded: false,
      }])
      pid = pids[id]
    },
    hasEnded: async () => pid !== undefined && await sampleProcess(pid) === null,
    stop: group.stop,
  }
}
