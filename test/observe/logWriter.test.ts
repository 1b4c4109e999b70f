/** What stands between the log and a file that can not always be written: nothing waits for it, and what is lost is counted. */

import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { WAITING_CHARACTERS_MAX, createLogWriter } from '../../observe/logWriter.ts'
import type { LogOutlet } from '../../observe/logWriter.ts'

afterEach(() => { jest.useRealTimers() })

const failureOf = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code })

/** A file whose writes end when the test says so. */
const open = () => {
  jest.useFakeTimers()
  const written: string[] = []
  const told: string[] = []
  const recoveries: number[] = []
  const sync: ('ENOSPC' | 'EAGAIN')[] = []
  let [pending, now, isClosed]: [(() => void)[], number, boolean] = [[], 0, false]
  let answer: string | number = 'all'
  const outlet: LogOutlet = {
    write: (bytes, done) => {
      pending.push(() => {
        if (typeof answer === 'string' && answer !== 'all') done(failureOf(answer), 0)
        else {
          const count = typeof answer === 'number' ? Math.min(answer, bytes.length) : bytes.length
          written.push(Buffer.from(bytes.subarray(0, count)).toString())
          done(null, count)
        }
      })
    },
    writeSync: (bytes) => {
      const code = sync.shift()
      now += 10
      if (code !== undefined) throw failureOf(code)
      written.push(Buffer.from(bytes).toString())
      return bytes.length
    },
    end: (done) => {
      isClosed = true
      done()
    },
  }
  const writer = createLogWriter({
    target: 'stdout', outlet, tell: (text) => told.push(text), onRecovered: (lost) => recoveries.push(lost), now: () => now,
  })
  /** Every write that is under way ends like this. */
  const settle = (how: string | number = 'all'): void => {
    answer = how
    for (const each of pending.splice(0)) each()
  }
  return {
    ...writer, written, told, recoveries, sync, settle, underWay: () => pending.length, isClosed: () => isClosed, now: () => now,
    text: () => written.join(''), drop: () => { pending = [] },
  }
}

const line = (i: number, characters = 100): string => `${String(i).padEnd(characters - 1, '.')}\n`

describe('the writer of the log', () => {
  test('gathers lines, and writes one chunk at a time', () => {
    const log = open()
    log.write(line(1))
    expect(log.underWay()).toBe(0)
    for (let i = 2; i <= 2_000; i += 1) log.write(line(i))
    expect(log.underWay()).toBe(1)
    while (log.underWay() > 0) log.settle()
    log.flush()
    log.settle()
    expect(log.text()).toBe(Array.from({ length: 2_000 }, (_, i) => line(i + 1)).join(''))
    expect(log.written.every((chunk) => chunk.length <= 65_536)).toBe(true)
    expect(log.told).toEqual([])
  })

  test('writes what a flush finds behind a write under way, without another flush', () => {
    const log = open()
    log.write(line(1))
    log.flush()
    log.write(line(2))
    log.flush()
    expect(log.written).toEqual([])
    log.settle()
    log.settle()
    expect([log.text(), log.underWay()]).toEqual([line(1) + line(2), 0])
    log.write(line(3))
    expect(log.underWay()).toBe(0)
  })

  test('goes on where a write was cut short', () => {
    const log = open()
    log.write(line(1))
    log.flush()
    log.settle(7)
    log.settle()
    expect([log.text(), log.underWay()]).toEqual([line(1), 0])
  })

  test('tries a file that is full again, says so once, and says when it is over', () => {
    const log = open()
    log.write(line(1))
    log.flush()
    log.settle('ENOSPC')
    for (let second = 0; second < 5; second += 1) {
      jest.advanceTimersByTime(1_000)
      log.write(line(2 + second))
      log.settle('ENOSPC')
    }
    expect(log.told).toEqual([expect.stringContaining('the log target stdout: it can not be written, the node goes on without it: ENOSPC')])
    jest.advanceTimersByTime(1_000)
    log.settle()
    log.flush()
    log.settle()
    expect(log.text()).toBe([1, 2, 3, 4, 5, 6].map((i) => line(i)).join(''))
    expect([log.told.length, log.told[1], log.lost(), log.recoveries]).toEqual([2, expect.stringContaining('written again'), 0, []])
  })

  test('keeps the first lines of an outage up to its limit, and counts those that are lost', () => {
    const log = open()
    log.write(line(0))
    log.flush()
    log.settle('ENOSPC')
    const fit = WAITING_CHARACTERS_MAX / 1_024
    for (let i = 0; i < fit + 7; i += 1) log.write(line(i, 1_024))
    expect(log.lost()).toBe(7)
    jest.advanceTimersByTime(1_000)
    while (log.underWay() > 0) log.settle()
    expect([log.text().split('\n').length - 1, log.recoveries]).toEqual([fit + 1, [7]])
  })

  test('loses lines rather than memory where a reader stands still', () => {
    const log = open()
    for (let i = 0; i < 9_192; i += 1) log.write(line(i, 1_024))
    expect(log.underWay()).toBe(1)
    expect(log.lost()).toBeGreaterThan(900)
    expect(log.told).toEqual([expect.stringContaining('lines are lost: it is written too slowly')])
  })

  test('tries again soon where a pipe is busy, without a word', () => {
    const log = open()
    log.write(line(1))
    log.flush()
    log.settle('EAGAIN')
    jest.advanceTimersByTime(20)
    log.settle()
    expect([log.text(), log.told]).toEqual([line(1), []])
  })
})

describe('at the end of a process, the writer', () => {
  test('writes what waits before it returns', () => {
    const log = open()
    log.write(line(1))
    log.write(line(2))
    log.flushSync()
    expect([log.text(), log.lost()]).toEqual([line(1) + line(2), 0])
  })

  test('never waits for a file that fails', () => {
    const log = open()
    log.write(line(1))
    log.sync.push('ENOSPC')
    log.flushSync()
    expect([log.text(), log.lost(), log.sync]).toEqual(['', 1, []])
    log.write(line(2))
    log.flush()
    log.settle('EIO')
    log.sync.push('ENOSPC')
    log.write(line(3))
    log.flushSync()
    log.flushSync()
    expect([log.sync, log.lost()]).toEqual([['ENOSPC'], 3])
    expect(log.told.slice(1)).toEqual(['the log target stdout: the process ends, 3 lines were lost'])
  })

  test('counts without what a thread is writing, which may yet go', () => {
    const log = open()
    log.write(line(1))
    log.flush()
    log.settle('EIO')
    jest.advanceTimersByTime(1_000)
    log.write(line(2))
    log.flushSync()
    expect([log.underWay(), log.lost()]).toEqual([1, 1])
    log.settle()
    expect(log.text()).toBe(line(1))
  })

  test('counts and tells what it is left with when nobody waits any longer, once, whatever comes of it afterwards', () => {
    for (const how of ['all', 'ENOSPC']) {
      const log = open()
      let ends = 0
      log.write(line(1))
      log.flush()
      log.write(line(2))
      log.end(() => { ends += 1 })
      expect([ends, log.lost()]).toEqual([0, 0])
      log.giveUp()
      log.giveUp()
      log.settle(how)
      jest.advanceTimersByTime(5_000)
      expect([log.underWay(), ends, log.lost(), log.isClosed()]).toEqual([0, 1, 2, true])
      expect(log.told).toEqual(['the log target stdout: the process ends, 2 lines were lost'])
    }
  })

  test('tries a pipe that is busy no more when it has been given up', () => {
    const log = open()
    log.write(line(1))
    log.end(() => {})
    log.settle('EAGAIN')
    log.giveUp()
    jest.advanceTimersByTime(5_000)
    expect([log.underWay(), log.lost()]).toEqual([0, 1])
  })

  test('waits a moment for a pipe that is busy, and not for ever', () => {
    jest.useRealTimers()
    const log = open()
    log.write(line(1))
    log.sync.push('EAGAIN', 'EAGAIN')
    log.flushSync()
    expect(log.text()).toBe(line(1))
    log.write(line(2))
    for (let i = 0; i < 1_000; i += 1) log.sync.push('EAGAIN')
    log.flushSync()
    expect([log.text(), log.lost(), log.now() < 1_000]).toEqual([line(1), 1, true])
  })

  test('writes what waits, then closes, and calls back', () => {
    const log = open()
    let isDone = false
    log.write(line(1))
    log.end(() => { isDone = true })
    expect([isDone, log.isClosed()]).toEqual([false, false])
    log.settle()
    expect([isDone, log.isClosed(), log.text()]).toEqual([true, true, line(1)])
    log.write(line(2))
    log.flush()
    log.flushSync()
    expect([log.text(), log.lost()]).toEqual([line(1), 1])
  })

  test('tries a file that failed once more, and ends without it', () => {
    const log = open()
    let isDone = false
    log.write(line(1))
    log.flush()
    log.settle('ENOSPC')
    log.write(line(2))
    log.end(() => { isDone = true })
    expect([log.underWay(), isDone]).toEqual([1, false])
    log.settle('ENOSPC')
    expect([isDone, log.lost(), log.told.at(-1)]).toEqual([true, 2, 'the log target stdout: the process ends, 2 lines were lost'])
  })
})
