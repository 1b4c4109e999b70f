/** Flags as environment variables: what switches one without a value on and off, and which variables are none of ours. */

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

describe('SHARDKV_HTTP_PORT', () => {
  afterEach(() => { delete process.env['SHARDKV_HTTP_PORT'] })

  const portWith = async (value: string, ...args: string[]): Promise<{ readonly code: number; readonly port: number | undefined }> => {
    let port: number | undefined
    const terminal = fakeTerminal(null, { runNode: async ({ httpPort }) => { port = httpPort; return 0 } })
    process.env['SHARDKV_HTTP_PORT'] = value
    const { code } = await terminal.run('node', '--id', 'n1', '--dir', 'd', ...args)
    return { code, port }
  }

  test.each(['tcp://10.96.0.7:8480', 'udp://10.96.0.7:8480', 'sctp://10.96.0.7:8480', 'tcp://[fd00::7]:8480'])(
    'as "%s" is what Kubernetes tells of a Service called shardkv-http, and no port', async (value) => {
      expect(await portWith(value)).toEqual({ code: 0, port: 0 })
      expect(await portWith(value, '--http-port', '8481')).toEqual({ code: 0, port: 8_481 })
    })

  test('as a number is the port, and as anything else wrong use', async () => {
    expect(await portWith('8480')).toEqual({ code: 0, port: 8_480 })
    for (const wrong of ['http://10.96.0.7:8480', 'tcp', '']) expect(await portWith(wrong)).toEqual({ code: 2, port: undefined })
  })

  test('as an address is wrong use on the command line', async () => {
    expect(await portWith('8480', '--http-port', 'tcp://10.96.0.7:8480')).toEqual({ code: 2, port: undefined })
  })
})
