import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/log.ts'
import type { FileSystem } from '../../storage/fileSystem.ts'
import type { WalConfig } from './config.ts'
import type { WalEvent, WalNotice } from './protocol.ts'

export interface WalOptions {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly log: Logger
  readonly config?: Partial<WalConfig>
  readonly onNotice: (notice: WalNotice) => void
  readonly onFailure: (error: unknown) => void
}

export interface Wal {
  readonly send: (event: WalEvent) => void
  readonly state: () => string
  /** Bytes of all segments, the prepared one included. */
  readonly bytes: () => number
  readonly isFull: () => boolean
  /** Bytes submitted and not yet durable. */
  readonly backlogBytes: () => number
  /** The backlog is at `walBacklogBytesMax` or above: refuse what would add to it. */
  readonly isOverloaded: () => boolean
  readonly stop: () => void
}

export const createWal = (options: WalOptions): Wal => { throw new Error(`under construction ${typeof options}`) }
