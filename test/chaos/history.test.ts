/** Histories as lines, and that the judge sees each thing that must not be. */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { createCounters } from '../../chaos/clients/counters.ts'
import { createRecorder, parseHistory } from '../../chaos/history.ts'
import { judgeHistory, problemsOf } from '../../chaos/judge.ts'
import { shardOf } from '../../topology/hash.ts'
import type { Call, Outcome } from '../../sim/history.ts'
import type { Recorder } from '../../chaos/history.ts'

const answered = (revision: number, value?: string): Outcome =>
  ({ kind: 'answered', status: 'OK', revision, ...(value === undefined ? {} : { value }) })

const perform = (recorder: Recorder, key: string, call: Call, outcome: Outcome, client = 1): number => {
  const op = recorder.invoke({ client, via: 'request', key, call, consistency: 'linearizable' })
  recorder.complete(op, outcome)
  return op
}

const judged = (tell: (recorder: Recorder) => void): ReturnType<typeof judgeHistory> => {
  // Of one shard, so that all keys are its own.
  const recorder = createRecorder(() => {}, { shards: 1 })
  tell(recorder)
  return judgeHistory(recorder.history())
}

const right = { notLinearizable: [], duplicates: [], failuresThatShow: [] }

describe('a history', () => {
  test('that is written and read again is the same', () => {
    const lines: string[] = []
    const recorder = createRecorder((line) => lines.push(line), { seed: 7, shards: 4 })
    const op = perform(recorder, 'a', { kind: 'put', value: 'v1' }, answered(1))
    recorder.repeat(op, answered(1))
    recorder.nemesis('kill', 'n1')
    recorder.invoke({ client: 2, via: 'sdk', key: 'a', call: { kind: 'get' }, consistency: 'lease' })
    perform(recorder, 'a', { kind: 'get' }, { kind: 'unknown' })
    recorder.end()
    expect(parseHistory(lines.join('\n'))).toEqual(recorder.history())
    expect(recorder.history().shards).toBe(4)
    expect(recorder.history().operations.map(({ completedAt }) => Number.isFinite(completedAt))).toEqual([true, false, false])
  })

  test.each([
    ['of another format', '{"event":"begin","format":"jepsen"}'],
    ['of no shards', '{"event":"begin","format":"shardkv-history/1","shards":0}'],
    ['with a completion of nothing', '{"event":"complete","at":1,"op":1,"outcome":{"kind":"unknown"}}'],
    ['that is no JSON', 'kill -9'],
  ])('%s is refused, with its line', (_what, text) => {
    expect(() => parseHistory(text)).toThrow(/^line 1: /)
  })
})

describe('the judge', () => {
  test('finds nothing where nothing is wrong', () => {
    expect(judged((recorder) => {
      perform(recorder, 'a', { kind: 'put', value: 'v1' }, answered(1))
      perform(recorder, 'a', { kind: 'put', value: 'v2' }, { kind: 'failed', status: 'OVERLOADED' })
      perform(recorder, 'a', { kind: 'get' }, answered(1, 'v1'))
      perform(recorder, 'c', { kind: 'incr', amount: 1 }, answered(2, '1'))
      perform(recorder, 'c', { kind: 'get' }, answered(2, '1'), -1)
    })).toEqual({ checked: 5, ...right })
  })

  test('sees an acknowledged write that is gone', () => {
    expect(judged((recorder) => {
      perform(recorder, 'a', { kind: 'put', value: 'v1' }, answered(1))
      perform(recorder, 'a', { kind: 'get' }, { kind: 'answered', status: 'NOT_FOUND', revision: 0 })
    }).notLinearizable).toEqual([expect.stringContaining('a has no linear order')])
  })

  test('sees a read of what had been overwritten', () => {
    expect(judged((recorder) => {
      perform(recorder, 'a', { kind: 'put', value: 'v1' }, answered(1))
      perform(recorder, 'a', { kind: 'put', value: 'v2' }, answered(2))
      perform(recorder, 'a', { kind: 'get' }, answered(1, 'v1'))
    }).notLinearizable).toHaveLength(1)
  })

  test('sees an acknowledged write that is gone where its key was written again before anybody read it', () => {
    expect(judged((recorder) => {
      const call: Call = { kind: 'put', value: 'v2' }
      const concurrent = recorder.invoke({ client: 2, via: 'sdk', key: 'b', call, consistency: 'linearizable' })
      perform(recorder, 'a', { kind: 'put', value: 'v1' }, answered(10))
      recorder.complete(concurrent, answered(10))
      perform(recorder, 'a', { kind: 'put', value: 'v3' }, answered(11))
      perform(recorder, 'a', { kind: 'get' }, answered(11, 'v3'), -1)
      perform(recorder, 'b', { kind: 'get' }, answered(10, 'v2'), -1)
    }).notLinearizable).toEqual([expect.stringMatching(/^shard 0 gave a revision that was taken:\n.* put v2 b .*\n.* put v1 a /)])
  })

  test('sees a write below what a read or a conflict of another key had told before it was asked for', () => {
    const tellers: readonly (readonly [Call, Outcome])[] = [
      [{ kind: 'get' }, answered(10, 'v1')],
      [{ kind: 'cas', value: 'v0', ifRevision: 3 }, { kind: 'answered', status: 'CONFLICT', revision: 10 }],
    ]
    for (const [call, outcome] of tellers) {
      expect(judged((recorder) => {
        perform(recorder, 'a', { kind: 'put', value: 'v1' }, { kind: 'unknown' })
        perform(recorder, 'a', call, outcome)
        perform(recorder, 'b', { kind: 'put', value: 'v2' }, answered(9))
      }).notLinearizable).toEqual([expect.stringContaining('shard 0 gave a revision that was taken')])
    }
  })

  test('takes shards each by itself, and writes beside each other in any order', () => {
    const recorder = createRecorder(() => {}, { shards: 2 })
    expect(shardOf('a', 2)).not.toBe(shardOf('b', 2))
    expect(shardOf('a', 2)).toBe(shardOf('c', 2))
    const first = recorder.invoke({ client: 2, via: 'sdk', key: 'c', call: { kind: 'put', value: 'v1' }, consistency: 'linearizable' })
    perform(recorder, 'a', { kind: 'put', value: 'v2' }, answered(5))
    perform(recorder, 'b', { kind: 'put', value: 'v3' }, answered(5))
    recorder.complete(first, answered(4))
    expect(judgeHistory(recorder.history())).toEqual({ checked: 3, ...right })
  })

  test('sees an increment that took effect twice, by the last read alone', () => {
    expect(judged((recorder) => {
      perform(recorder, 'c', { kind: 'incr', amount: 1 }, { kind: 'unknown' })
      perform(recorder, 'c', { kind: 'get' }, answered(2, '2'), -1)
    }).duplicates).toEqual([expect.stringContaining('counter c shows 2')])
  })

  test('sees an increment that took effect twice, or after it had failed for certain, beside others of unknown outcome', () => {
    const unknown: Outcome = { kind: 'unknown' }
    const outcomes: readonly Outcome[] = [answered(5, '1'), unknown, { kind: 'failed', status: 'OVERLOADED' }, unknown]
    const shown = (value: number): readonly string[] => problemsOf(judged((recorder) => {
      const counters = createCounters(1)
      const random = createRandom(1)
      for (const outcome of outcomes) {
        const { key, amount } = counters.draw(random)
        perform(recorder, key, { kind: 'incr', amount }, outcome)
      }
      perform(recorder, 'counter-0-0', { kind: 'get' }, answered(9, String(value)), -1)
    }))
    expect(shown(1 + 8)).toEqual([])
    for (const value of [1 + 1 + 8, 1 + 4 + 8]) expect(shown(value)).toContainEqual(expect.stringContaining(`shows ${value}`))
  })

  test('sees an answer that changed when it was asked for again', () => {
    expect(judged((recorder) => {
      recorder.repeat(perform(recorder, 'a', { kind: 'put', value: 'v1' }, answered(1)), answered(2))
    }).duplicates).toHaveLength(1)
  })

  test('sees a write, or its repetition, that was refused as if its id had been another one\'s', () => {
    const reused: Outcome = { kind: 'failed', status: 'REQUEST_ID_REUSED' }
    expect(judged((recorder) => {
      recorder.repeat(perform(recorder, 'a', { kind: 'put', value: 'v1' }, answered(1)), reused)
      perform(recorder, 'a', { kind: 'put', value: 'v2' }, reused)
      perform(recorder, 'a', { kind: 'put', value: 'v3' }, { kind: 'failed', status: 'OVERLOADED' })
    }).duplicates).toEqual([expect.stringContaining('put v1 a'), expect.stringContaining('put v2 a')])
  })

  test('sees a write that was said to have certainly failed', () => {
    expect(judged((recorder) => {
      perform(recorder, 'a', { kind: 'put', value: 'v1' }, { kind: 'failed', status: 'NO_QUORUM' })
      perform(recorder, 'a', { kind: 'get' }, answered(1, 'v1'))
    }).failuresThatShow).toEqual([expect.stringContaining('shows up in')])
  })
})
