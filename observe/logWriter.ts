/**
 * Stands between the log and a file: gathers lines, writes them in chunks, one after the other, and outlives a file that can not be
 * written. A full disk, a reader that stands still or has gone: the node goes on, and ends when it is told to.
 *
 *   write ─▶ waiting ─▶ chunk ─▶ outlet        when 4 KiB are together, at `flush` or as soon after it as may be, at the end
 *               │          └── an error: the same chunk again, a second later; at the end, once
 *               └── above WAITING_CHARACTERS_MAX: lost and counted
 *
 * One write is under way at a time, so that nothing is in two places: what a thread is writing when the process ends, Node lets it finish,
 * and `flushSync` writes what waits behind it. Where both happen the two may stand in the file the wrong way round.
 *
 * `flushSync` never waits for a file that fails, and FLUSH_SYNC_MS_MAX at most for one that is busy. (sonic-boom's tries for ever, which is
 * why its buffer is not used.) Descriptors that block, such as a terminal that somebody holds, are not helped by that.
 */

import type { Descriptor } from '../storage/descriptor.ts'

/** Lines are written when so much of them is together, or when `flush` is called. */
const GATHERED_CHARACTERS = 4_096
/** Of one write: as much as a pipe takes. */
const CHUNK_CHARACTERS_MAX = 65_536
/** While nothing can be written, or not as fast as lines come; some 40,000. Above it the newest are lost: the first say how it began. */
export const WAITING_CHARACTERS_MAX = 8 * 1_048_576
const RETRY_MS = 1_000
/** The reader of a pipe has not caught up: soon it has. */
const BUSY_RETRY_MS = 20
const FLUSH_SYNC_MS_MAX = 250
const FLUSH_SYNC_PAUSE_MS = 5

/** Where chunks go. */
export interface LogOutlet extends Descriptor {
  /** Given the same bytes again after an error, less those that were said to be written. */
  readonly write: Descriptor['write']
  /** Calls back when it is closed; perhaps never, where it failed. */
  readonly end: (done: () => void) => void
}

export interface LogWriterOptions {
  /** As the operator calls it: `stdout`, `roll`. */
  readonly target: string
  readonly outlet: LogOutlet
  /** For a person, where the log itself can not say it: once for each outage, and once when it is over. */
  readonly tell: (text: string) => void
  /** Everything that waited is written, and so many lines were lost meanwhile. */
  readonly onRecovered: (lost: number) => void
  /** Milliseconds of any clock. */
  readonly now?: () => number
}

export interface LogWriter {
  readonly write: (line: string) => void
  readonly flush: () => void
  /** For the end of a process: what does not go now is lost. */
  readonly flushSync: () => void
  /** Calls back when all is written and the outlet closed, or at the first error. Lines that come later are lost. */
  readonly end: (done: () => void) => void
  /** Who waited for the end waits no longer: what is left is lost. */
  readonly giveUp: () => void
  readonly lost: () => number
}

const nothing = new Uint8Array(0)
const isBusy = (error: NodeJS.ErrnoException | null): boolean => error?.code === 'EAGAIN' || error?.code === 'EBUSY'

export const createLogWriter = ({ target, outlet, tell, onRecovered, now = () => performance.now() }: LogWriterOptions): LogWriter => {
  let phase: 'idle' | 'writing' | 'resting' | 'ended' = 'idle'
  let waiting: string[] = []
  let waitingCharacters = 0
  /** What is left of the one under way, or of the one that failed. */
  let chunk: Uint8Array = nothing
  let failure: NodeJS.ErrnoException | null = null
  let retry: NodeJS.Timeout | null = null
  /** Lines that a flush found behind a write under way, or a file that rests: they follow it. */
  let isFlushOwed = false
  let isTold = false
  let [lostInAll, lostInOutage] = [0, 0]
  let onEnd: (() => void) | null = null

  const lose = (lines: number, why: string): void => {
    lostInAll += lines
    lostInOutage += lines
    say(`lines are lost: ${why}`)
  }
  const say = (text: string): void => {
    if (!isTold) tell(`the log target ${target}: ${text}`)
    isTold = true
  }

  const begin = (): void => {
    const [text, left] = cut(waiting)
    waiting = left
    waitingCharacters -= text.length
    chunk = Buffer.from(text)
    isFlushOwed = isFlushOwed && left.length > 0
    attempt()
  }
  const attempt = (): void => {
    if (phase === 'ended') return
    phase = 'writing'
    outlet.write(chunk, settled)
  }
  const settled: Parameters<LogOutlet['write']>[1] = (error, written) => {
    if (phase === 'ended') return
    chunk = chunk.subarray(written)
    failure = error
    if (error !== null) failed(error)
    else if (chunk.length > 0) attempt()
    else if (waitingCharacters >= (isFlushOwed ? 1 : GATHERED_CHARACTERS)) begin()
    else {
      phase = 'idle'
      isFlushOwed = false
      // It may write a line.
      if (isTold && waitingCharacters === 0) recovered()
      if (onEnd !== null) endIdle()
    }
  }
  const endIdle = (): void => {
    if (waitingCharacters > 0) begin()
    else finish()
  }
  const failed = (error: NodeJS.ErrnoException): void => {
    phase = 'resting'
    if (!isBusy(error)) say(`it can not be written, the node goes on without it: ${error.message}`)
    if (onEnd !== null && !isBusy(error)) {
      finish()
      return
    }
    retry = setTimeout(attempt, isBusy(error) ? BUSY_RETRY_MS : RETRY_MS)
    retry.unref()
  }
  const recovered = (): void => {
    const lost = lostInOutage
    isTold = false
    lostInOutage = 0
    tell(`the log target ${target}: it is written again; ${lost} lines were lost`)
    if (lost > 0) onRecovered(lost)
  }
  /** `own`: of the chunk, what nobody else is writing. */
  const loseWhatIsLeft = (own: Uint8Array): void => {
    const left = linesIn(own) + waiting.length
    lostInAll += left
    lostInOutage += left
    if (lostInOutage > 0) tell(`the log target ${target}: the process ends, ${lostInOutage} lines were lost`)
    chunk = nothing
    waiting = []
    waitingCharacters = 0
  }
  const finish = (): void => {
    loseWhatIsLeft(chunk)
    phase = 'ended'
    outlet.end(() => onEnd?.())
  }

  return {
    write: (line) => {
      if (phase === 'ended') lostInAll += 1
      else if (waitingCharacters + line.length > WAITING_CHARACTERS_MAX) lose(1, failure?.message ?? 'it is written too slowly')
      else {
        waiting.push(line)
        waitingCharacters += line.length
        if (phase === 'idle' && waitingCharacters >= GATHERED_CHARACTERS) begin()
      }
    },
    flush: () => {
      isFlushOwed = waitingCharacters > 0
      if (isFlushOwed && phase === 'idle') begin()
    },
    flushSync: () => {
      if (phase === 'ended') return
      const isMine = phase !== 'writing'
      const own = isMine ? chunk : nothing
      if (failure !== null && !isBusy(failure)) {
        if (own.length + waiting.length > 0) loseWhatIsLeft(own)
        return
      }
      const bytes = Buffer.concat([own, Buffer.from(waiting.join(''))])
      if (isMine) chunk = nothing
      waiting = []
      waitingCharacters = 0
      const left = writeNow(outlet, bytes, now)
      if (left.length > 0) lose(linesIn(left), 'the process ends')
    },
    end: (done) => {
      onEnd = done
      if (phase === 'resting' && !isBusy(failure)) {
        if (retry !== null) clearTimeout(retry)
        attempt()
      } else if (phase === 'idle') endIdle()
    },
    giveUp: () => {
      if (phase !== 'ended') finish()
    },
    lost: () => lostInAll,
  }
}

/** The lines that make the next chunk, one at least; and the others. */
const cut = (lines: string[]): [string, string[]] => {
  let count = 0
  let characters = 0
  for (const line of lines) {
    if (count > 0 && characters + line.length > CHUNK_CHARACTERS_MAX) break
    characters += line.length
    count += 1
  }
  return count === lines.length ? [lines.join(''), []] : [lines.slice(0, count).join(''), lines.slice(count)]
}

const LINE_END = 10
const linesIn = (bytes: Uint8Array): number => bytes.reduce((lines, byte) => (byte === LINE_END ? lines + 1 : lines), 0)

/** What could not be written. */
const writeNow = (outlet: LogOutlet, bytes: Uint8Array, now: () => number): Uint8Array => {
  const deadline = now() + FLUSH_SYNC_MS_MAX
  let left = bytes
  while (left.length > 0) {
    try {
      left = left.subarray(outlet.writeSync(left))
    } catch (error) {
      if (!isBusy(error as NodeJS.ErrnoException) || now() >= deadline) return left
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FLUSH_SYNC_PAUSE_MS)
    }
  }
  return left
}
