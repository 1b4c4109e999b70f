/** One Ctrl-C counts once, however many pass it on. */

import { EventEmitter } from 'node:events'
import { expect, test } from '@jest/globals'
import { ECHO_MS, countInterrupts } from '../../cli/interrupts.ts'

const counted = () => {
  const source = new EventEmitter()
  const counts: number[] = []
  let now = 1_000
  const release = countInterrupts(source, () => now, (count) => { counts.push(count) })
  return { source, counts, release, after: (ms: number) => { now += ms } }
}

test('what npm passes on of a Ctrl-C that the terminal has sent already is no second one', () => {
  const { source, counts, after } = counted()
  source.emit('SIGINT')
  after(5)
  source.emit('SIGINT')
  after(ECHO_MS - 1)
  source.emit('SIGTERM')
  expect(counts).toEqual([1])
})

test('a person who means it again is heard, by whichever signal', () => {
  const { source, counts, after } = counted()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    source.emit(signal)
    after(ECHO_MS)
  }
  expect(counts).toEqual([1, 2, 3])
})

test('whoever no longer listens leaves nothing behind', () => {
  const { source, counts, release } = counted()
  release()
  source.emit('SIGINT')
  expect([counts, source.eventNames()]).toEqual([[], []])
})
