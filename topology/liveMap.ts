/**
 * The cluster map as this node knows it: committed, durable here, and only ever newer.
 *
 * What is learned was committed by the meta group and applied by whoever told of it: a fact of its epoch, whichever node says so. So it
 * may come from the own replica of the meta group or from any peer, and of two the newer epoch counts; nothing is decided by hearsay,
 * since nodes tell nothing but a committed state, and nobody else is heard (longAnswers.ts). A map is in force here once it is in the map
 * file: a node that starts alone then hosts what it hosted.
 */

import { decodeState, encodeState } from '../actors/topology/codec.ts'
import { adoptGenesis, mapOf } from '../actors/topology/clusterState.ts'
import { readMapFile, writeMapFile } from '../storage/mapFile.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { Genesis } from '../actors/wal/protocol.ts'
import type { FileSystem } from '../storage/fileSystem.ts'
import type { ClusterMap } from './clusterMap.ts'

/** Between attempts to write the file on a full disk. Out of step with the log, which may take what is free for a moment twice a second. */
const RETRY_MS = 1_100

export interface LiveMap {
  /** Reads the file; `done` when the map in force is known. */
  readonly load: (done: () => void) => void
  /** Without its history. */
  readonly state: () => ClusterState
  /** The file was there and good. Otherwise the node starts from the genesis, and what it once had is not known from its map. */
  readonly isFromFile: () => boolean
  readonly map: () => ClusterMap
  /** Of the newest state that was learned, which may wait for room to be written: nobody need tell of it again. */
  readonly learnedEpoch: () => number
  /** A committed state. Takes force when it is durable, unless a newer one has by then. */
  readonly learn: (state: ClusterState) => void
  readonly stop: () => void
}

export interface LiveMapOptions {
  readonly genesis: Genesis
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly log: Logger
  /** A newer map is in force. */
  readonly onChange: () => void
  /** A newer version of ShardKV wrote the file. `load` is not done then. */
  readonly onNewer: (reason: string) => void
}

export const createLiveMap = ({ genesis, fileSystem, clock, log, onChange, onNewer }: LiveMapOptions): LiveMap => {
  let state = withoutHistory(adoptGenesis(genesis))
  let map = mapOf(state)
  let learned = state
  let isFromFile = false
  let isWriting = false
  let isRetryArmed = false
  let isStopped = false

  const take = (next: ClusterState): void => {
    state = next
    map = mapOf(next)
    log.info({ epoch: next.epoch, layout_level: next.level }, 'a newer cluster map is in force')
    onChange()
  }
  const writeNext = (): void => {
    if (isWriting || isRetryArmed || isStopped || learned.epoch <= state.epoch) return
    const next = learned
    isWriting = true
    writeMapFile(fileSystem, encodeState(next), (error) => {
      isWriting = false
      if (isStopped) return
      if (error === null) {
        take(next)
        writeNext()
        return
      }
      log.warn({ err: error, epoch: next.epoch }, 'the cluster map could not be written; this node goes on with the one before')
      isRetryArmed = true
      clock.after(RETRY_MS, () => {
        isRetryArmed = false
        writeNext()
      })
    })
  }
  const learn = (next: ClusterState): void => {
    if (next.cluster !== state.cluster || next.epoch <= learned.epoch) return
    learned = withoutHistory(next)
    writeNext()
  }
  return {
    load: (done) => readMapFile(fileSystem, (found) => {
      if (isStopped) return
      const decoded = found.kind === 'found' ? decodeState(found.bytes) : null
      const problem = found.kind === 'unusable' ? found.reason : reasonIn(decoded)
      if (decoded !== null && 'isNewer' in decoded) {
        onNewer(decoded.reason)
        return
      }
      if (problem !== null) log.warn({ reason: problem }, 'the file of the cluster map is not used; peers know it')
      else if (decoded !== null && isState(decoded) && decoded.cluster === state.cluster && decoded.epoch >= state.epoch) {
        isFromFile = true
        state = decoded
        learned = decoded
        map = mapOf(decoded)
      }
      done()
    }),
    state: () => state,
    isFromFile: () => isFromFile,
    map: () => map,
    learnedEpoch: () => learned.epoch,
    learn,
    stop: () => {
      isStopped = true
    },
  }
}

const isState = (decoded: ReturnType<typeof decodeState>): decoded is ClusterState => !('reason' in decoded)

const reasonIn = (decoded: ReturnType<typeof decodeState> | null): string | null =>
  (decoded !== null && !isState(decoded) ? decoded.reason : null)

/** Kept by the meta group alone: nodes need what is, not how it came to be. */
const withoutHistory = (state: ClusterState): ClusterState => ({ ...state, history: [] })
