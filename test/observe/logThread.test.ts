/** What stands between the log and a remote target's thread: it holds no more than it may, and what is lost is counted. */

import { describe, expect, test } from '@jest/globals'
import { EventEmitter } from 'node:events'
import { WAITING_CHARACTERS_MAX, threadStream } from '../../observe/logThread.ts'

const open = () => {
  const events = new EventEmitter()
  const written: string[] = []
  const told: string[] = []
  const recoveries: number[] = []
  const state = { hasRoom: true, answers: true, terminated: 0, ended: 0, flushed: 0 }
  const stream = threadStream({
    write: (line) => {
      written.push(line)
      return state.hasRoom
    },
    emit: (event, ...values) => events.emit(event, ...values),
    flushSync: () => {
      state.flushed += 1
      if (!state.answers) throw new Error('it took too long (10s)')
    },
    end: () => { state.ended += 1 },
    on: (event, heard) => events.on(event, heard),
    once: (event, heard) => events.once(event, heard),
    worker: { terminate: () => { state.terminated += 1 } },
  }, { target: 'loki', tell: (text) => told.push(text), onRecovered: (lost) => recoveries.push(lost) })
  return { stream, events, written, told, recoveries, state }
}

const line = `${'x'.repeat(1_023)}\n`
const FIT = WAITING_CHARACTERS_MAX / line.length

describe('a remote target', () => {
  test('that does not keep up holds so much and no more; the rest is lost, told once and counted', () => {
    const { stream, written, told, recoveries, state, events } = open()
    stream.write(line)
    state.hasRoom = false
    for (let i = 0; i < FIT + 7; i += 1) stream.write(line)
    expect([written.length, stream.lost?.()]).toEqual([FIT + 1, 7])
    expect(told).toEqual(['the log target loki: lines are lost: it takes them too slowly'])
    state.hasRoom = true
    events.emit('drain')
    expect([recoveries, told.length, told[1]]).toEqual([[7], 2, 'the log target loki: it takes lines again; 7 were lost'])
    stream.write(line)
    expect([written.length, stream.lost?.()]).toEqual([FIT + 2, 7])
  })

  test('that was slow for a moment has lost nothing, and nothing is said of it', () => {
    const { stream, told, recoveries, state, events } = open()
    state.hasRoom = false
    for (let i = 0; i < FIT; i += 1) stream.write(line)
    state.hasRoom = true
    events.emit('drain')
    for (let i = 0; i < FIT; i += 1) stream.write(line)
    expect([told, recoveries, stream.lost?.()]).toEqual([[], [], 0])
  })

  test('whose thread has ended takes nothing any more: lines are counted, the first error is told', () => {
    const { stream, written, told, events } = open()
    events.emit('error', new Error('the worker thread exited'))
    events.emit('error', new Error('again'))
    events.emit('close')
    stream.write(line)
    expect([written.length, stream.lost?.(), told]).toEqual([0, 1, ['the log target loki fails, lines are lost: the worker thread exited']])
  })

  test('that its receiver refuses lines of says how many: they are counted', () => {
    const { stream, events } = open()
    stream.write(line)
    events.emit('lost', 3)
    expect(stream.lost?.()).toBe(3)
  })

  test('is flushed and ended at the end, and is done when its thread has closed', () => {
    const { stream, written, state, events } = open()
    let isDone = false
    stream.end?.(() => { isDone = true })
    expect([state.flushed, state.ended, state.terminated, isDone]).toEqual([1, 1, 0, false])
    stream.write(line)
    expect([written.length, stream.lost?.()]).toEqual([0, 1])
    events.emit('close')
    expect(isDone).toBe(true)
  })

  test('that does not answer at the end is waited for once, and ended; what was lost is told', () => {
    const { stream, state, told, recoveries, events } = open()
    state.answers = false
    state.hasRoom = false
    for (let i = 0; i < FIT + 3; i += 1) stream.write(line)
    let isDone = false
    stream.end?.(() => { isDone = true })
    events.emit('drain')
    expect([state.flushed, state.ended, state.terminated, isDone, recoveries]).toEqual([1, 0, 1, true, []])
    expect(told.slice(1)).toEqual([
      'the log target loki: the process ends, 3 lines were lost', expect.stringMatching(/^the log target loki fails, lines are lost: /),
    ])
  })
})
