/** A second process under a node's name, on a copy of its directory: it must refuse to start, and the first goes on. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EXIT_REFUSED } from '../../actors/node/protocol.ts'
import { copyDirectory } from '../ground/copyDirectory.ts'
import { anyNode } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

export const twin: Nemesis = {
  name: 'twin',
  needs: [],
  strike: async (arena) => {
    const { cluster } = arena
    const node = anyNode(arena)
    const copy = mkdtempSync(join(tmpdir(), 'shardkv-copy-'))
    arena.say(node)
    try {
      copyDirectory(cluster.directory(node), copy)
      const { code, out } = await cluster.startTwin(node, copy).ended
      if (code !== EXIT_REFUSED) throw new Error(`a twin of ${node} ended with ${code}, not ${EXIT_REFUSED}:\n${out}`)
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  },
}
