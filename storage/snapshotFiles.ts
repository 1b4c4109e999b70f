import type { Clock } from '../actors/kernel/clock.ts'
import type { FileSystem } from './fileSystem.ts'
import type { SnapshotStore } from './snapshotStore.ts'

export const createSnapshotFiles = (options: { readonly fileSystem: FileSystem; readonly clock: Clock }): SnapshotStore => {
  throw new Error(`under construction ${typeof options}`)
}
