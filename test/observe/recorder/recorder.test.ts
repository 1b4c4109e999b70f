/** A node's recorder: numbers, times, two rings, the states of living actors, and those who listen. */

import { describe, expect, test } from '@jest/globals'
import { TRAFFIC_RECORDS_MAX, createNodeRecorder } from '../../../observe/recorder/recorder.ts'
import type { Happening } from '../../../actors/kernel/recorder.ts'
import type { ActorRecord } from '../../../observe/recorder/record.ts'

const open = (ringBytesMax?: number) => {
  const time = { now: 5, wall: 1_000_005 }
  const clock = { now: () => time.now, wall: () => time.wall }
  const recorder = createNodeRecorder({ node: 'n1', clock, ...(ringBytesMax === undefined ? {} : { ringBytesMax }) })
  const pass = (ms: number): void => {
    time.now += ms
    time.wall = Math.floor(1_000_000 + time.now)
  }
  const all = (): ActorRecord[] => [...recorder.read({ after: 0 })]
  return { time, recorder, pass, all }
}

const state = (actor: string, event: string): Happening => ({ actor, kind: 'state', event, because: 'tick' })
const batch: Happening = { actor: 'wal', kind: 'batch', event: 'group', micros: 100 }

describe('a recorder', () => {
  test('numbers what it is told without a gap, in one order over both rings, with microseconds', () => {
    const { recorder, pass, all } = open()
    for (let i = 0; i < 10; i += 1) {
      recorder.record(i % 3 === 0 ? state('raft/7', `s${i}`) : batch)
      pass(0.1234)
    }
    expect(all().map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(all()[1]).toEqual({ at: 1_000_005.123, seq: 2, node: 'n1', ...batch })
  })

  test('forgets heavy traffic before the election that explains it', () => {
    const { recorder, all } = open(20_000)
    recorder.record(state('raft/7', 'candidate'))
    for (let i = 0; i < 1_000; i += 1) recorder.record(batch)
    const [first, second] = all()
    expect(first).toMatchObject({ seq: 1, event: 'candidate' })
    expect(second?.seq).toBeGreaterThan(800)
    expect(recorder.figures().bytes).toBeLessThanOrEqual(20_000)
    expect(recorder.figures().dropped).toBe(1_001 - all().length)
  })

  test('counts the states of connections, which change with the traffic, as traffic', () => {
    const { recorder, all } = open(20_000)
    for (let i = 0; i < 1_000; i += 1) recorder.record(state('connection/c1', i % 2 === 0 ? 'serving' : 'paused'))
    recorder.record(state('raft/7', 'candidate'))
    expect(all().at(-1)).toMatchObject({ event: 'candidate' })
    expect(all().length).toBeGreaterThan(50)
  })

  test('counts the states of connections as traffic: clients that come and go push no election out', () => {
    const { recorder, all } = open(20_000)
    recorder.record(state('raft/7', 'candidate'))
    for (let i = 0; i < 1_000; i += 1) recorder.record(state(`connection/${i}`, 'open'))
    expect(all()[0]).toMatchObject({ actor: 'raft/7' })
  })

  test('of batches alone remembers as many as a page takes of three nodes, in a fraction of its bytes', () => {
    const { recorder, all } = open()
    for (let i = 0; i < TRAFFIC_RECORDS_MAX + 5_000; i += 1) recorder.record(batch)
    const { bytes, dropped } = recorder.figures()
    expect([all().length, all()[0]?.seq, dropped]).toEqual([TRAFFIC_RECORDS_MAX, 5_001, 5_000])
    expect(bytes).toBeLessThan(4 * 1_024 * 1_024)
    expect(recorder.overwritten()).toEqual({ story: null, traffic: { seq: 5_000, at: 1_000_005 } })
  })

  test('knows the state of each living actor, and since when', () => {
    const { recorder, pass } = open()
    recorder.record(state('raft/1', 'follower'))
    recorder.record(state('connection/a', 'open'))
    pass(50)
    recorder.record(state('raft/1', 'leader.settling'))
    recorder.ended('connection/a')
    expect(recorder.states()).toEqual([{ actor: 'raft/1', state: 'leader.settling', since: 1_000_055 }])
  })

  test('reads what follows a number', () => {
    const { recorder } = open()
    for (let i = 0; i < 5; i += 1) recorder.record(batch)
    expect([...recorder.read({ after: 3 })].map(({ seq }) => seq)).toEqual([4, 5])
  })

  test('tells listeners until they are gone, and nobody else', () => {
    const { recorder } = open()
    const heard: ActorRecord[] = []
    const stop = recorder.listen((record) => heard.push(record))
    recorder.record(batch)
    stop()
    recorder.record(batch)
    expect(heard.map(({ seq }) => seq)).toEqual([1])
  })

  test('takes the wall clock anew when that was set', () => {
    const { time, recorder, all } = open()
    recorder.record(batch)
    time.now += 2_000
    time.wall = 5_000_000
    recorder.record(batch)
    expect(all().map(({ at }) => at)).toEqual([1_000_005, 5_000_000])
  })
})
