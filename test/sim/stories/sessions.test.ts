/**
 * A request takes effect once, however often it is sent. Sources: RIFL (SOSP 2015), TigerBeetle's replica_test.zig, docs/TESTING.md T10.
 */

import { expect, test } from '@jest/globals'
import { OpCode } from '../../../actors/shard/operation.ts'
import { openSessionOperation } from '../../../sim/door.ts'
import { tellStory } from '../story.ts'
import type { Operation, OperationResult } from '../../../actors/shard/operation.ts'
import type { Story } from '../story.ts'

const client = '00000000000000aa'

const increment = (sequence: number, firstIncomplete = 1): Operation =>
  ({ code: OpCode.incr, key: 'n', value: new TextEncoder().encode('1'), session: { client, sequence, firstIncomplete } })
const textOf = (result: OperationResult | null): string => `${result?.status} ${new TextDecoder().decode(result?.value)}`
/** As the SDK does: until it is answered for certain. */
const insistOn = (story: Story, operation: Operation): OperationResult | null => {
  let result = story.operate(operation)
  // A node that was restarted calls the door's own session expired, definitely.
  const isCertain = (): boolean => ['OK', 'REQUEST_ID_REUSED'].includes(result?.status ?? '')
    || (result?.status === 'SESSION_EXPIRED' && result.definite === false)
  story.until('a certain answer', () => {
    if (!isCertain()) result = story.operate(operation)
    return isCertain()
  })
  return result
}

/** docs/TESTING.md T10; TiDB's automatic retry, Redpanda. */
test('a request id that is sent to two leaders in turn takes effect once', () => {
  const story = tellStory(7)
  const first = story.insist('incr', 'n', '5', { 'Kv-Request-Id': 'once' })
  story.losePower(story.leader())
  const second = story.insist('incr', 'n', '5', { 'Kv-Request-Id': 'once' })
  expect([first.value, second.value, second.revision]).toEqual(['5', '5', first.revision])
  story.end()
})

test('a sequence of a session that is sent to three leaders in turn takes effect once', () => {
  const story = tellStory(702)
  insistOn(story, openSessionOperation(client))
  for (let sequence = 1; sequence <= 3; sequence += 1) {
    expect(textOf(insistOn(story, increment(sequence)))).toBe(`OK ${sequence}`)
    const old = story.leader()
    story.losePower(old)
    expect(textOf(insistOn(story, increment(sequence)))).toBe(`OK ${sequence}`)
    story.start(old)
  }
  expect(story.get('n')).toBe('3')
  story.end()
})

test('what a client has acknowledged as heard is not executed again by a late copy', () => {
  const story = tellStory(703)
  insistOn(story, openSessionOperation(client))
  insistOn(story, increment(1))
  insistOn(story, increment(2, 2))
  const late = story.operate(increment(1))
  expect(late?.status).not.toBe('OK')
  expect(story.get('n')).toBe('2')
  story.end()
})

test('a session that nobody opened, or that was closed, executes nothing', () => {
  const story = tellStory(704)
  expect(insistOn(story, increment(1))?.status).toBe('SESSION_EXPIRED')
  insistOn(story, openSessionOperation(client))
  insistOn(story, increment(1))
  insistOn(story, { code: OpCode.closeSession, key: '', session: { client, sequence: 2, firstIncomplete: 2 } })
  expect(insistOn(story, increment(2))?.status).toBe('SESSION_EXPIRED')
  expect(story.get('n')).toBe('1')
  story.end()
})

test('a session lives through the death of everybody at once', () => {
  const story = tellStory(705, { snapshotLogBytes: 2_048 })
  insistOn(story, openSessionOperation(client))
  insistOn(story, increment(1))
  story.putMany('k', 40, 100)
  story.losePower(...story.nodes)
  story.start(...story.nodes)
  expect(textOf(insistOn(story, increment(1)))).toBe('OK 1')
  expect(textOf(insistOn(story, increment(2)))).toBe('OK 2')
  story.end()
})

/** A retry storm: the copies are in flight together. */
test('twenty copies of one request at the same time are one increment, and all hear the same', () => {
  const story = tellStory(706)
  story.settledLeader()
  const copies = Array.from({ length: 20 }, () => story.send('incr', 'n', '1', { 'Kv-Request-Id': 'storm' }))
  story.until('all are answered', () => copies.every((copy) => copy.answer() !== null))
  expect(new Set(copies.map((copy) => `${copy.answer()?.status} ${copy.answer()?.value} ${copy.answer()?.revision}`)).size).toBe(1)
  expect(story.get('n')).toBe('1')
  story.end()
})

test('another write under an id is refused by whoever leads, also behind a snapshot, and the first is answered as before', () => {
  const story = tellStory(710, { snapshotLogBytes: 2_048 })
  const first = story.insist('put', 'k', 'first', { 'Kv-Request-Id': 'one' })
  insistOn(story, openSessionOperation(client))
  insistOn(story, increment(1))
  const reuse = (): void => {
    story.settledLeader()
    expect(story.request('put', 'k', 'second', { 'Kv-Request-Id': 'one' }))
      .toMatchObject({ status: 'REQUEST_ID_REUSED', definite: true, value: expect.stringContaining('nothing was done') })
    expect(insistOn(story, { ...increment(1), value: new TextEncoder().encode('2') }))
      .toMatchObject({ status: 'REQUEST_ID_REUSED', definite: true })
    expect(story.insist('put', 'k', 'first', { 'Kv-Request-Id': 'one' }).revision).toBe(first.revision)
    expect([textOf(insistOn(story, increment(1))), story.get('k'), story.get('n')]).toEqual(['OK 1', 'first', '1'])
  }
  reuse()
  const old = story.leader()
  story.losePower(old)
  reuse()
  story.start(old)
  story.putMany('f', 40, 100)
  story.losePower(...story.nodes)
  story.start(...story.nodes)
  reuse()
  story.end()
})

/** Compare-and-set, retried after the first attempt took effect, is no conflict with itself. */
test('a conditional write that is repeated by its request id does not conflict with itself', () => {
  const story = tellStory(707)
  story.settledLeader()
  const first = story.insist('put', 'k', 'mine', { 'Kv-If-Revision': '0', 'Kv-Request-Id': 'claim' })
  story.losePower(story.leader())
  const again = story.insist('put', 'k', 'mine', { 'Kv-If-Revision': '0', 'Kv-Request-Id': 'claim' })
  expect(again.revision).toBe(first.revision)
  expect(story.request('put', 'k', 'theirs', { 'Kv-If-Revision': '0' }).status).toBe('CONFLICT')
  story.end()
})

/** docs/GUARANTEES.md: expiry is decided by committed entries. */
test('a key that has expired does not come back with a new leader', () => {
  const story = tellStory(708)
  story.insist('put', 'k', 'short', { 'Kv-Ttl-Ms': '2000' })
  story.insist('put', 'stays', 'long', { 'Kv-Ttl-Ms': '600000' })
  story.until('it has expired', () => story.request('get', 'k').status === 'NOT_FOUND', 8_000)
  const old = story.leader()
  story.losePower(old)
  story.leaderBut(old)
  expect([story.request('get', 'k').status, story.get('stays')]).toEqual(['NOT_FOUND', 'long'])
  story.end()
})

/** docs/GUARANTEES.md: all on one machine that was suspended. Log time makes up for that at once, not when the next leader comes. */
test('a session that is opened after all machines have slept for an hour lives on under the next leader', () => {
  const story = tellStory(711)
  story.put('before', 'v')
  story.settledLeader()
  for (const machine of story.nodes) machine.wallOffsetMs += 3_600_000
  story.run(200)
  expect(insistOn(story, openSessionOperation(client))?.status).toBe('OK')
  expect(textOf(insistOn(story, increment(1)))).toBe('OK 1')
  const old = story.leader()
  story.losePower(old)
  story.leaderBut(old)
  story.put('another', 'entry')
  expect(textOf(insistOn(story, increment(2)))).toBe('OK 2')
  story.end()
})

/** docs/GUARANTEES.md: one clock that is a day ahead expires nothing early. */
test('a clock that is a day ahead expires nothing, whoever is elected with it', () => {
  const story = tellStory(709)
  story.insist('put', 'k', 'an hour', { 'Kv-Ttl-Ms': '3600000' })
  for (const ahead of story.nodes) {
    ahead.wallOffsetMs = 86_400_000
    const old = story.leader()
    story.losePower(old)
    story.leaderBut(old)
    story.start(old)
    story.put('tick', ahead.id)
    ahead.wallOffsetMs = 0
  }
  expect(story.get('k')).toBe('an hour')
  story.end()
})
