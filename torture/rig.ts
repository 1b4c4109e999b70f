/** A log on a disk that forgets, beside its model (torture/model.ts): what is submitted goes to both, acknowledgements are counted. */

import { silentLogger } from '../actors/kernel/log.ts'
import type { Entry, HardState } from '../actors/raft/protocol.ts'
import { createWal } from '../actors/wal/actor.ts'
import type { Wal } from '../actors/wal/actor.ts'
import type { WalConfig } from '../actors/wal/config.ts'
import type { RecoveryReport, SnapshotMark, WalNotice } from '../actors/wal/protocol.ts'
import { createMemoryFileSystem } from '../storage/memoryFileSystem.ts'
import type { DiskCall, DiskFault, DiskImage, MemoryFileSystem } from '../storage/memoryFileSystem.ts'
import type { MemoryNames } from '../storage/memoryNames.ts'
import { spareBytes } from '../storage/segmentFiles.ts'
import type { ReplicaId } from '../topology/ids.ts'
import { modelOf } from './model.ts'
import type { GroupModel } from './model.ts'
import { createVirtualClock } from './virtualClock.ts'
import type { VirtualClock } from './virtualClock.ts'

export interface RigOptions {
  readonly image?: DiskImage
  /** Instead of an image: what a killed process left, on the platter and in the cache. */
  readonly cache?: MemoryNames
  readonly fault?: (call: DiskCall) => DiskFault | undefined
  /** How long a call takes, in milliseconds. */
  readonly latencyMs?: (call: DiskCall) => number
  readonly config?: Partial<WalConfig>
  readonly capacityBytes?: number
  /** Each group is written and synced in one call, as on Linux. */
  readonly hasSyncedWrites?: boolean
  readonly models?: Map<number, GroupModel>
  /** A commit group is durable, and the next has not begun. */
  readonly onGroup?: (image: DiskImage) => void
  /** Starts on the disk and clock of another rig whose process died: nothing unsynced is lost, and nothing is synced. */
  readonly on?: Pick<Rig, 'clock' | 'disk'>
}

export interface Content { readonly hardState?: HardState; readonly entries?: readonly Entry[]; readonly reserved?: boolean }

export interface Rig {
  readonly clock: VirtualClock
  readonly disk: MemoryFileSystem
  readonly wal: Wal
  readonly notices: WalNotice[]
  /** How long each commit group took, in milliseconds. */
  readonly groups: number[]
  readonly models: Map<number, GroupModel>
  readonly failure: () => unknown
  readonly report: () => RecoveryReport | undefined
  readonly append: (group: number, content: Content) => number
  readonly compact: (group: number, mark: SnapshotMark) => void
  readonly install: (group: number, mark: SnapshotMark) => number
  readonly quarantine: (group: number, reason: string) => number
  readonly adopt: (group: number, generation: number) => number
  readonly retire: (group: number, generation: number) => number
  readonly isAcknowledged: (ticket: number) => boolean
  /** Opens the log and waits for the report. */
  readonly open: () => Rig
}

const smallConfig: Partial<WalConfig> = {
  segmentBytes: 16_384, groupBytesMax: 8_192, reserveBytes: 2_048, copyForwardBytesMax: 2_048, segmentsWanted: 3,
}

/** What a full disk holds beside segments of this size: none takes the last of it (storage/segmentFiles.ts). */
export const SPARE_BYTES = spareBytes(16_384)
/** A disk that random lives fill: six segments. */
export const FULL_DISK_BYTES = 100_000 + SPARE_BYTES

const LATENCY_MS = 0.2

export const createRig = (options: RigOptions = {}): Rig => {
  const clock = options.on?.clock ?? createVirtualClock()
  const disk = options.on?.disk ?? createMemoryFileSystem({
    schedule: (fn, call) => { clock.after(options.latencyMs?.(call) ?? LATENCY_MS, fn) },
    ...(options.image === undefined ? {} : { image: options.image }),
    ...(options.cache === undefined ? {} : { cache: options.cache }),
    ...(options.fault === undefined ? {} : { fault: options.fault }),
    ...(options.capacityBytes === undefined ? {} : { capacityBytes: options.capacityBytes }),
    hasSyncedWrites: options.hasSyncedWrites ?? false,
  })
  const models = options.models ?? new Map<number, GroupModel>()
  const notices: WalNotice[] = []
  const groups: number[] = []
  const acknowledged = new Set<number>()
  let failure: unknown
  let ticket = 0
  const onNotice = (notice: WalNotice): void => {
    notices.push(notice)
    if (!('ticket' in notice)) return
    acknowledged.add(notice.ticket)
    const model = modelOf(models, notice.group)
    model.acknowledged = Math.max(model.acknowledged, model.tickets.get(notice.ticket) ?? 0)
  }
  const wal = createWal({
    fileSystem: disk, clock, log: silentLogger, config: { ...smallConfig, ...options.config }, onNotice,
    onFailure: (error) => { failure ??= error },
    onGroupWritten: ({ tookMs }) => {
      groups.push(tookMs)
      options.onGroup?.(disk.image())
    },
  })
  const report = (): RecoveryReport | undefined =>
    notices.map((notice) => (notice.type === 'wal.recovered' ? notice.report : undefined)).find((found) => found !== undefined)
  const nextTicket = (group: number): number => {
    ticket += 1
    const model = modelOf(models, group)
    model.tickets.set(ticket, model.steps.length)
    return ticket
  }
  const begin = (group: number, type: 'wal.adopt' | 'wal.retire', generation: number): number => {
    modelOf(models, group).steps.push({ kind: 'replica', replica: { generation, isRemoved: type === 'wal.retire' } })
    const own = nextTicket(group)
    wal.send({ type, group, generation, ticket: own })
    return own
  }
  const rig: Rig = {
    clock, disk, wal, notices, groups, models, report,
    failure: () => failure,
    isAcknowledged: (wanted) => acknowledged.has(wanted),
    append: (group, { hardState, entries = [], reserved = false }) => {
      const { steps } = modelOf(models, group)
      if (hardState !== undefined) steps.push({ kind: 'hardState', hardState })
      for (const entry of entries) steps.push({ kind: 'entry', entry })
      const own = nextTicket(group)
      const base = { type: 'wal.append', group, ticket: own, submittedTerm: 1, entries, reserved } as const
      wal.send(hardState === undefined ? base : { ...base, hardState })
      return own
    },
    compact: (group, mark) => {
      modelOf(models, group).steps.push({ kind: 'compact', mark })
      wal.send({ type: 'wal.compact', group, mark })
    },
    install: (group, mark) => {
      modelOf(models, group).steps.push({ kind: 'install', mark })
      const own = nextTicket(group)
      wal.send({ type: 'wal.installSnapshot', group, ticket: own, mark })
      return own
    },
    quarantine: (group, reason) => {
      modelOf(models, group).steps.push({ kind: 'quarantine', reason })
      const own = nextTicket(group)
      wal.send({ type: 'wal.quarantine', group, ticket: own, reason })
      return own
    },
    adopt: (group, generation) => begin(group, 'wal.adopt', generation),
    retire: (group, generation) => begin(group, 'wal.retire', generation),
    open: () => {
      wal.send({ type: 'wal.open' })
      clock.runUntil(() => report() !== undefined || wal.state() === 'halted' || failure !== undefined, 2_000)
      return rig
    },
  }
  return rig
}

interface EntryOptions { readonly term?: number; readonly bytes?: number; readonly fill?: number }

export const entryOf = (index: number, options: EntryOptions = {}): Entry => ({
  index, term: options.term ?? 1, kind: 1, payload: new Uint8Array(options.bytes ?? 40).fill(options.fill ?? index & 0xff),
})

export const entriesOf = (from: number, to: number, options: { readonly term?: number; readonly bytes?: number } = {}): Entry[] =>
  Array.from({ length: to - from + 1 }, (_, at) => entryOf(from + at, options))

export const vote = (node: string): ReplicaId => `${node}:1` as ReplicaId
