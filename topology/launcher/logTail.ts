/**
 * Follows the log file of one child: hands over its new lines, and remembers the last one that explains an exit.
 *
 * Nodes write pino's JSON, nats-server its own lines (`[pid] date [ERR] text`). Only warnings and errors are for the console.
 * LINE_CHARS_MAX bounds an unfinished line, READ_BYTES_MAX what one look reads; a file that grows faster is caught up over several looks.
 * A log that can not be read has no lines: the processes that write it are well, and no look at them may end them.
 */

import type { LocalFiles } from '../../storage/localFiles.ts'

const LINE_CHARS_MAX = 64 * 1024
const READ_BYTES_MAX = 256 * 1024
const PINO_WARN = 40
const PINO_ERROR = 50

export interface LogLine {
  /** `info` covers everything below a warning. */
  readonly level: 'info' | 'warn' | 'error'
  /** Readable, without time and names. */
  readonly text: string
}

export interface LogTail {
  /** What was added since the last call; nothing before the first restart. */
  readonly read: () => Promise<readonly LogLine[]>
  /** Later calls start at the present end; the last error is forgotten. */
  readonly restart: () => Promise<void>
  /** The last error line since the restart; empty when there was none. */
  readonly lastReason: () => string
}

export const createLogTail = (files: LocalFiles, path: string): LogTail => {
  /** Null until the first restart, and where the end is not known: what an earlier run left in the file is not news. */
  let position: number | null = null
  let rest = ''
  let decoder = new TextDecoder()
  let reason = ''
  /** Reads and restarts one after the other, or two would hand over the same lines. */
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work)
    turn = result.catch(() => {})
    return result
  }
  const read = async (): Promise<readonly LogLine[]> => {
    if (position === null) return []
    const bytes = await files.readRange(path, position, READ_BYTES_MAX).catch(() => new Uint8Array(0))
    position += bytes.length
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = (lines.pop() ?? '').slice(-LINE_CHARS_MAX)
    const parsed = lines.filter((line) => line.trim() !== '').map(parseLine)
    reason = parsed.findLast(({ level }) => level === 'error')?.text ?? reason
    return parsed
  }
  const restart = async (): Promise<void> => {
    position = await files.facts(path).then((facts) => facts?.sizeBytes ?? 0, () => null)
    rest = ''
    decoder = new TextDecoder()
    reason = ''
  }
  return { read: () => inTurn(read), restart: () => inTurn(restart), lastReason: () => reason }
}

export const parseLine = (line: string): LogLine => (line.startsWith('{') ? parseNodeLine(line) : parseServerLine(line))

const parseNodeLine = (line: string): LogLine => {
  try {
    const { level, msg, reason, err } = JSON.parse(line) as { level?: number; msg?: string; reason?: string; err?: { message?: string } }
    const detail = reason ?? err?.message
    const text = `${msg ?? ''}${detail === undefined || msg?.includes(detail) === true ? '' : `: ${detail}`}`
    return { level: levelOf(level ?? 0), text }
  } catch {
    return { level: 'info', text: line }
  }
}

const levelOf = (level: number): LogLine['level'] => {
  if (level >= PINO_ERROR) return 'error'
  return level >= PINO_WARN ? 'warn' : 'info'
}

const parseServerLine = (line: string): LogLine => {
  const tagged = /\[(INF|WRN|ERR|FTL|DBG|TRC)\] (.*)$/.exec(line)
  const text = tagged?.[2] ?? line.trim()
  if (tagged?.[1] === 'ERR' || tagged?.[1] === 'FTL') return { level: 'error', text }
  if (tagged?.[1] === 'WRN') return { level: 'warn', text }
  const isComplaint = tagged === null && /^(?:nats-server: |\w*Error: |error: |error )/i.test(text)
  return { level: isComplaint ? 'error' : 'info', text }
}
