/** One genesis, and a disk on which it is read and written, each at once. */

import { readGenesis, writeGenesis } from '../storage/genesis.ts'
import { createMemoryFileSystem } from '../storage/memoryFileSystem.ts'
import { clusterId, nodeId } from '../topology/ids.ts'
import { createVirtualClock } from './virtualClock.ts'
import type { Genesis } from '../actors/wal/protocol.ts'
import type { FileError } from '../storage/fileSystem.ts'
import type { GenesisResult } from '../storage/genesis.ts'
import type { DiskCall, DiskFault, DiskImage, MemoryFileSystem } from '../storage/memoryFileSystem.ts'
import type { MemoryNames } from '../storage/memoryNames.ts'
import type { ReplicaId } from '../topology/ids.ts'
import type { VirtualClock } from './virtualClock.ts'

export const genesis: Genesis = {
  cluster: clusterId('0123456789abcdef'), node: nodeId('a'), shardCount: 2, members: [nodeId('a'), nodeId('b')],
  replicas: [['a:1' as ReplicaId, 'b:1' as ReplicaId], ['b:1' as ReplicaId, 'a:1' as ReplicaId]], createdAtMs: 1_700_000_000_000,
}

export interface Desk {
  readonly clock: VirtualClock
  readonly disk: MemoryFileSystem
  readonly read: () => GenesisResult | undefined
  readonly write: () => FileError | null | undefined
}

interface DeskOptions {
  readonly image?: DiskImage
  readonly cache?: MemoryNames
  readonly fault?: (call: DiskCall) => DiskFault | undefined
}

export const openDesk = (options: DeskOptions = {}): Desk => {
  const clock = createVirtualClock()
  const disk = createMemoryFileSystem({ schedule: (fn) => clock.defer(fn), ...options })
  return {
    clock,
    disk,
    read: () => {
      let found: GenesisResult | undefined
      readGenesis(disk, (result) => { found = result })
      clock.advance(1)
      return found
    },
    write: () => {
      let answer: FileError | null | undefined
      writeGenesis(disk, genesis, (error) => { answer = error })
      clock.advance(1)
      return answer
    },
  }
}
