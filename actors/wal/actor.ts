/**
 * The log's shell: carries out what the core asks for through the log's files and the clock, and reports completions.
 *
 * Durable before visible: every notice that promises something is an effect of the completion of a sync, never of a submission.
 */

import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/log.ts'
import { silentRecorder } from '../kernel/recorder.ts'
import type { Recorder } from '../kernel/recorder.ts'
import { createShell } from '../kernel/shell.ts'
import { crc32 } from '../../storage/crc.ts'
import type { FileError, FileSystem, WriteFailure } from '../../storage/fileSystem.ts'
import { isOutOfSpace } from '../../storage/fileWriter.ts'
import { GROUP_HEADER_BYTES } from '../../storage/group.ts'
import { createLogFiles } from '../../storage/logFiles.ts'
import type { LogFiles } from '../../storage/logFiles.ts'
import { recordBytes } from '../../storage/record.ts'
import { BLOCK_BYTES, SEGMENT_DATA_OFFSET, segmentLevelAt } from '../../storage/segment.ts'
import { walConfigDefaults } from './config.ts'
import type { WalConfig } from './config.ts'
import { createWalCore, logBytes } from './core.ts'
import type { WalEffect, WalInput } from './core.ts'
import { walMachine } from './machine.ts'
import { isWriting } from './plan.ts'
import type { RecoveryReport, WalEvent, WalNotice } from './protocol.ts'

export interface WalOptions {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly log: Logger
  readonly recorder?: Recorder | undefined
  readonly config?: Partial<WalConfig>
  /** Asks for `flush` at the end of this turn; left out, the clock defers it. */
  readonly requestFlush?: () => void
  readonly onNotice: (notice: WalNotice) => void
  readonly onFailure: (error: unknown) => void
  readonly onGroupWritten?: (group: WrittenGroup) => void
}

export interface WrittenGroup {
  readonly records: number
  /** To be written and synced, in milliseconds. */
  readonly tookMs: number
  /** Of which the sync; the whole where both are one call (storage/syncedWriter.ts). */
  readonly syncMs: number
}

export interface Wal {
  readonly send: (event: WalEvent) => void
  /** What was submitted this turn begins its way to the disk, unless a group is on it already. */
  readonly flush: () => void
  readonly state: () => string
  /** A group is on its way to the disk. */
  readonly isWriting: () => boolean
  /** Bytes of all segments, the prepared one included. */
  readonly bytes: () => number
  readonly isFull: () => boolean
  /** Bytes submitted and not yet durable. */
  readonly backlogBytes: () => number
  /** The backlog is at `walBacklogBytesMax` or above: refuse what would add to it. */
  readonly isOverloaded: () => boolean
  readonly stop: () => void
}

const DIRECTORY = 'wal'
const RESERVE_FRACTION = 0.25
const MICROS_PER_MS = 1_000

export const createWal = (options: WalOptions): Wal => {
  const { clock, log, onNotice, recorder = silentRecorder } = options
  const wanted = { ...walConfigDefaults, ...options.config }
  const config: WalConfig = { ...wanted, reserveBytes: Math.min(wanted.reserveBytes, wanted.segmentBytes * RESERVE_FRACTION) }
  let syncingAt = 0
  const files = createLogFiles({
    fileSystem: options.fileSystem, directory: DIRECTORY, newSalt: newSalt(clock), onSync: () => { syncingAt = clock.now() },
  })
  const effects: WalEffect[] = []
  const layout = {
    blockBytes: BLOCK_BYTES, dataOffset: SEGMENT_DATA_OFFSET, groupHeaderBytes: GROUP_HEADER_BYTES, recordBytes, segmentLevelAt,
  }
  const core = createWalCore({ config, layout, effects })
  let isStopped = false
  const report = (event: WalInput): void => {
    if (!isStopped) shell.send(event)
  }
  const shell = createShell<typeof walMachine, WalEffect>({
    machine: walMachine, input: core, effects, onFailure: options.onFailure,
    perform: (effect) => perform(effect, {
      files, clock, log, report, tell, requestFlush, spaceRetryMs: config.spaceRetryMs, recorder, syncingAt: () => syncingAt,
      isEnding: () => isStopped || core.isClosing,
      onGroupWritten: options.onGroupWritten,
    }),
    onState: (state) => log.trace({ state }, 'log state'),
    recording: { recorder, actor: 'wal' },
  })
  const flush = (): void => report({ type: 'wal.flush' })
  const requestFlush = options.requestFlush ?? (() => clock.defer(flush))
  function tell(notice: WalNotice): void {
    logNotice(log, notice)
    recordNotice(recorder, notice)
    onNotice(notice)
  }
  return {
    send: report,
    flush,
    state: shell.state,
    isWriting: () => isWriting(core),
    bytes: () => logBytes(core),
    isFull: () => core.isFull,
    backlogBytes: () => core.backlogBytes,
    isOverloaded: () => core.backlogBytes >= config.walBacklogBytesMax,
    stop: () => {
      isStopped = true
      shell.stop()
    },
  }
}

/** Not a secret from whoever reads the disk, but nothing a client can know. Never 0, which means none. */
const newSalt = (clock: Clock): number => {
  const moment = new Float64Array([clock.wall(), clock.now()])
  return crc32(new Uint8Array(moment.buffer)) || 1
}

interface Ports {
  readonly files: LogFiles
  readonly clock: Clock
  readonly log: Logger
  readonly report: (event: WalInput) => void
  readonly tell: (notice: WalNotice) => void
  readonly requestFlush: () => void
  readonly spaceRetryMs: number
  /** It was stopped, or is to close. */
  readonly isEnding: () => boolean
  readonly recorder: Recorder
  /** When the latest sync began. */
  readonly syncingAt: () => number
  readonly onGroupWritten: WalOptions['onGroupWritten']
}

const perform = (effect: WalEffect, ports: Ports): void => {
  const { files, clock, report, tell, requestFlush } = ports
  switch (effect.type) {
    case 'wal.scan': return openLog(ports)
    case 'wal.requestFlush': return requestFlush()
    case 'wal.writeGroup': return writeGroup(ports, effect)
    case 'wal.retryWrite': return files.retry((failure) => report(written(failure)))
    case 'wal.prepareSegment': return prepareSegment(ports, effect)
    case 'wal.removeSegments': return removeSegments(ports, effect.segments)
    case 'wal.readEntries':
      return files.readEntries(effect.segment, (error, records) =>
        report(error === null ? { type: 'wal.entriesRead', segment: effect.segment, records } : unread(error)))
    case 'wal.delay':
      clock.after(effect.ms, () => report({ type: effect.event }))
      return undefined
    case 'wal.closeFiles':
      return files.close((error) => report(error === null ? { type: 'wal.filesClosed' } : failed('close', error)))
    case 'wal.notify': return tell(effect.notice)
  }
  effect satisfies never
}

/**
 * A disk that has no room for what recovery writes again (one that never writes in place) is waited for like any other full disk, until
 * somebody wants to end.
 */
const openLog = (ports: Ports, isFirstTime = true): void => {
  const { files, clock, log, report, spaceRetryMs, isEnding } = ports
  files.open(() => report({ type: 'wal.scanned' }), (error, recovery) => {
    if (error !== null && isOutOfSpace(error)) {
      if (isFirstTime) log.warn({ err: error }, 'the disk is full: the log is opened when it has room')
      files.close(() => clock.after(spaceRetryMs, () => (isEnding() ? report(failed('recovery', error)) : openLog(ports, false))))
    } else if (error !== null || recovery === undefined) report(failed('recovery', error))
    else if (recovery.isNewer) {
      report({ type: 'wal.diskFailed', reason: 'a newer version of ShardKV wrote this log; start that version or a later one' })
    } else report({ type: 'wal.replayed', recovery })
  })
}

/** A file system that never writes in place needs room even to remove. What could not be removed when the log ends is left to the next. */
const removeSegments = (ports: Ports, segments: readonly number[], isFirstTime = true): void => {
  const { files, clock, log, report, spaceRetryMs, isEnding } = ports
  files.remove(segments, (error) => {
    if (error === null) report({ type: 'wal.segmentsRemoved' })
    else if (!isOutOfSpace(error)) report(failed('remove', error))
    else {
      if (isFirstTime) log.warn({ err: error }, 'the disk is full: a part of the log is removed when there is room to do it')
      clock.after(spaceRetryMs, () => (isEnding() ? report({ type: 'wal.segmentsRemoved' }) : removeSegments(ports, segments, false)))
    }
  })
}

const prepareSegment = ({ files, report }: Ports, wanted: { readonly segment: number; readonly sizeBytes: number }): void => {
  const { segment, sizeBytes } = wanted
  files.prepare(segment, sizeBytes, (error) => {
    if (error === null) report({ type: 'wal.segmentPrepared', segment, sizeBytes })
    else if (isOutOfSpace(error)) report({ type: 'wal.prepareStarved' })
    else report(failed('prepare', error))
  })
}

const writeGroup = (
  { files, clock, report, recorder, syncingAt, onGroupWritten }: Ports, { plan }: Extract<WalEffect, { readonly type: 'wal.writeGroup' }>,
): void => {
  const startedAt = clock.now()
  files.write(plan, (failure) => {
    if (failure === undefined) {
      const now = clock.now()
      const tookMs = now - startedAt
      const { records, isSeal } = plan
      onGroupWritten?.({ records: records.length, tookMs, syncMs: now - syncingAt() })
      recorder.record({
        actor: 'wal', kind: 'batch', event: isSeal ? 'seal' : 'group', micros: Math.round(tookMs * MICROS_PER_MS),
        bytes: records.reduce((sum, record) => sum + recordBytes(record), 0), detail: { records: records.length },
      })
    }
    report(written(failure))
  })
}

const written = (failure: WriteFailure | undefined): WalInput => {
  if (failure === undefined) return { type: 'wal.written' }
  if (!failure.isSync && isOutOfSpace(failure.error)) return { type: 'wal.writeStarved' }
  return failed(failure.isSync ? 'write or fsync' : 'write', failure.error)
}

/** Of errors that say nothing of the disk. */
const cures: Readonly<Record<string, string>> = {
  EACCES: 'Give the data directory to the user that this node runs as', EPERM: 'Give the data directory to the user that this node runs as',
  EMFILE: 'Raise the limit of open files (ulimit -n)', ENFILE: 'Raise the limit of open files of the machine',
  ENOMEM: 'Give the machine more memory',
}

const failed = (what: string, error: FileError | null): WalInput => ({
  type: 'wal.diskFailed',
  reason: `the log's ${what} failed (${error?.message ?? 'unknown'}); nothing more is acknowledged. `
    + `${cures[error?.code ?? ''] ?? 'Check the disk'}, then start the node again`,
})

/** Damage that has come while the node lived: what it costs whom is for the next start to say, which reads the whole log. */
const unread = (error: FileError): WalInput => {
  if (error.code !== 'EDAMAGED') return failed('read', error)
  return {
    type: 'wal.diskFailed',
    reason: `${error.message}, and nothing more is acknowledged. Start the node again: it then says what is damaged, and which `
      + 'replicas are to be replaced. If it happens again, the disk is dying: drain the node',
  }
}

const logNotice = (log: Logger, notice: WalNotice): void => {
  if (notice.type === 'wal.recovered') logRecovery(log, notice.report)
  else if (notice.type === 'wal.spaceChanged') {
    log.warn({ full: notice.full }, notice.full ? 'the disk is full: new writes are refused' : 'the disk has room again')
  } else if (notice.type === 'wal.failed') log.error({}, notice.reason)
}

const recordNotice = (recorder: Recorder, notice: WalNotice): void => {
  if (notice.type === 'wal.recovered') {
    const { groups, tornBytes, findings } = notice.report
    recorder.record({
      actor: 'wal', kind: 'note', event: 'recovered the log', detail: { groups: groups.size, tornBytes, findings: findings.length },
    })
  } else if (notice.type === 'wal.spaceChanged') {
    recorder.record({ actor: 'wal', kind: 'note', event: notice.full ? 'the disk is full' : 'the disk has room again' })
  } else if (notice.type === 'wal.failed') recorder.record({ actor: 'wal', kind: 'note', event: 'the log failed' })
}

const logRecovery = (log: Logger, report: RecoveryReport): void => {
  for (const finding of report.findings) log.warn({}, finding)
  log.info({ groups: report.groups.size, tornBytes: report.tornBytes }, 'log recovered')
}
