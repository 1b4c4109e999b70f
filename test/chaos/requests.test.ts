/** The chaos lane's client that sends a request again under its id: what it makes of the answers. */

import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { rememberedRequestOver } from '../../chaos/clients/requests.ts'
import type { Bus, Inbound, RequestFailure } from '../../bus/port.ts'
import type { Outcome } from '../../sim/history.ts'

/** Longer than all attempts take. */
const OVER_MS = 60_000

beforeEach(() => { jest.useFakeTimers() })
afterEach(() => { jest.useRealTimers() })

type Done = (failure: RequestFailure | null, answer: Inbound | null) => void
type Answer = RequestFailure | { readonly status: string; readonly isDefinite: boolean }

const headersOf = (status: string, isDefinite: boolean): ReadonlyMap<string, string> =>
  new Map([['Kv-Status', status], ['Kv-Definite', String(isDefinite)]])

/** Gives each request the next of the answers, and the last one again and again. */
const busOf = (answers: readonly Answer[]): { readonly bus: Bus; readonly asked: () => number } => {
  let asked = 0
  const bus = {
    request: (_subject: string, _data: Uint8Array, _options: unknown, done: Done) => {
      const answer = answers[Math.min(asked, answers.length - 1)]
      asked += 1
      if (answer === undefined || typeof answer === 'string') done(answer ?? 'timeout', null)
      else done(null, { data: new Uint8Array(0), headers: headersOf(answer.status, answer.isDefinite) } as unknown as Inbound)
    },
  } as unknown as Bus
  return { bus, asked: () => asked }
}

const performed = async (bus: Bus): Promise<Outcome> => {
  const outcome = rememberedRequestOver(bus)().perform('k', { kind: 'put', value: 'v' }, 'linearizable')
  await jest.advanceTimersByTimeAsync(OVER_MS)
  return await outcome
}

test('a refusal that speaks of one attempt alone leaves a write unknown that may have taken effect before', async () => {
  expect(await performed(busOf(['timeout', { status: 'OVERLOADED', isDefinite: true }]).bus)).toEqual({ kind: 'unknown' })
})

test('a refusal as another write\'s is told as it is, also after an attempt that may have taken effect', async () => {
  const { bus, asked } = busOf(['timeout', { status: 'REQUEST_ID_REUSED', isDefinite: true }])
  expect(await performed(bus)).toEqual({ kind: 'failed', status: 'REQUEST_ID_REUSED' })
  expect(asked()).toBe(2)
})
