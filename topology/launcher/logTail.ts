/**
 * Follows the log file of one child: hands over its new lines, and remembers the last one that explains an exit.
 *
 * Nodes write pino's JSON, nats-server its own lines (`[pid] date [ERR] text`). Only warnings and errors are for the console.
 * LINE_CHARS_MAX bounds an unfinished line, READ_BYTES_MAX what one look reads; a file that grows faster is caught up over several looks.
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
  /** Reads what was added since the last call. */
  readonly read: () => Promise<readonly LogLine[]>
  /** Later calls start at the present end; the last error is forgotten. */
  readonly restart: () => Promise<void>
  /** The last error line, or else the last line that is no JSON: a crash prints a stack. Empty when there was none. */
  readonly lastReason: () => string
}

export const createLogTail = (files: LocalFiles, path: string): LogTail => {
  let position = 0
  let rest = ''
  let decoder = new TextDecoder()
  let reason = ''
  return {
    read: async () => {
      const bytes = await files.readRange(path, position, READ_BYTES_MAX)
      position += bytes.length
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
      rest = (lines.pop() ?? '').slice(-LINE_CHARS_MAX)
      const parsed = lines.filter((line) => line.trim() !== '').map(parseLine)
      reason = parsed.findLast(({ level }) => level === 'error')?.text ?? reason
      return parsed
    },
    restart: async () => {
      position = (await files.facts(path))?.sizeBytes ?? 0
      rest = ''
      decoder = new TextDecoder()
      reason = ''
    },
    lastReason: () => reason,
  }
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
