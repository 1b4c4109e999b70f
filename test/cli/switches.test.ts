/** Flags without a value as environment variables: what switches them on, what leaves them off, and what is refused. */

import { afterEach, describe, expect, test } from '@jest/globals'
import { fakeTerminal } from './fakes.ts'
import type { CliRun } from './fakes.ts'

const plan = {
  epoch: 7, consistency: 'linearizable', isPaused: true, underWay: 0, moves: [{ group: 3, add: 'n4', remove: 'n1:1' }], next: [],
  cancels: [], preferences: [], blocked: [], heldBack: [], heldBackBy: [], balance: { isOn: false, nodes: [] },
}
const changed = { outcome: 'applied', epoch: 8, move: null }

/** Runs `shardkv plan` where SHARDKV_APPLY has this value; `methods` are those of the requests that it made. */
const runWith = async (value: string, ...args: string[]): Promise<CliRun & { readonly methods: readonly string[] }> => {
  const methods: string[] = []
  const terminal = fakeTerminal(null, {
    http: async ({ method }) => {
      methods.push(method)
      return { status: 200, body: JSON.stringify(method === 'GET' ? plan : changed) }
    },
  })
  process.env['SHARDKV_APPLY'] = value
  return { ...await terminal.run('plan', '-w', 'json', ...args), methods }
}

describe('SHARDKV_APPLY', () => {
  afterEach(() => { delete process.env['SHARDKV_APPLY'] })

  test.each(['1', 'true'])('as "%s" is on', async (value) => {
    expect(await runWith(value)).toMatchObject({ code: 0, methods: ['GET', 'POST'] })
  })

  test.each(['0', 'false', ''])('as "%s" is off, and moves nothing', async (value) => {
    expect(await runWith(value)).toMatchObject({ code: 0, methods: ['GET'] })
  })

  test.each(['no', 'off', 'yes', 'TRUE', ' '])('as "%s" is refused as wrong use, before anything is asked', async (value) => {
    const { code, err, methods } = await runWith(value)
    expect({ code, methods }).toEqual({ code: 2, methods: [] })
    expect(err).toMatch(/SHARDKV_APPLY.*1 or true.*0, false or empty/s)
  })

  test('that is off is overruled by the flag', async () => {
    expect(await runWith('false', '--apply')).toMatchObject({ code: 0, methods: ['GET', 'POST'] })
  })

  test('that is off is in nobody\'s way', async () => {
    expect(await runWith('0', '--drain', 'n2')).toMatchObject({ code: 0, methods: ['GET'] })
  })
})
