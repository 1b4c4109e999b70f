/** What the page makes of what its simulator says, and of the address, with a worker that says what the test wants. */

import { beforeAll, expect, test } from '@jest/globals'
import { defaultRun } from '../../../observe/simulator/address.ts'
import type { SimulatedRun } from '../../../observe/simulator/address.ts'
import type { FromSimulator, ToSimulator } from '../../../observe/simulator/protocol.ts'

const asked: ToSimulator[] = []
const addresses: string[] = []
let say: (message: FromSimulator) => void = () => {}
let page: {
  readonly openRun: (run: SimulatedRun) => void
  readonly currentRun: () => SimulatedRun | null
  readonly historyRecords: () => readonly { readonly at: number }[]
  readonly showAddress: () => void
  readonly seen: { readonly value: FromSimulator | null }
}
/** Not by its name: its types are those of a browser, which this project's do not have. */
const PAGE: string = '../../../observe/page/simulatorRun.ts'

/** For `new`, which returns what this returns. */
const fakeWorker = function fakeWorker() {
  return {
    addEventListener: (type: string, listener: (event: { readonly data: FromSimulator }) => void): void => {
      if (type === 'message') say = (data) => listener({ data })
    },
    postMessage: (message: ToSimulator): void => { asked.push(message) },
  }
}

beforeAll(async () => {
  Object.assign(globalThis, {
    Worker: fakeWorker, document: { querySelector: () => null }, location: { hash: '#/simulator' },
    window: { history: { replaceState: (_state: unknown, _title: string, address: string) => { addresses.push(address) } } },
  })
  page = await import(PAGE) as typeof page
})

const run = { ...defaultRun, seed: 7 }
const seen = (number: number, at: number): FromSimulator => ({
  type: 'simulator.seen', number, run, isGoing: false,
  scene: {
    now: at, isEnded: false, phase: 'faults', machines: [], groups: [], events: 1, acknowledged: 0, digest: 'a'.repeat(16), violation: null,
  },
  records: [{ at, seq: 1, node: 'n1', actor: 'node', kind: 'state', event: 'serving' }],
})
const numberOpened = (): number => asked.findLast((message) => message.type === 'simulator.open')?.number ?? 0

test('what an earlier run still says is not the new one\'s', () => {
  page.openRun(run)
  const first = numberOpened()
  say(seen(first, 9_000))
  expect([page.historyRecords().length, page.currentRun()]).toEqual([1, run])
  page.openRun(run)
  say(seen(first, 9_500))
  expect([page.historyRecords().length, page.currentRun(), page.seen.value]).toEqual([0, null, null])
  say(seen(numberOpened(), 100))
  expect(page.historyRecords().map(({ at }) => at)).toEqual([100])
})

test('the address of a run that stands says how far it came, also when the view is opened again', () => {
  const address = '#/simulator?seed=7&nodes=3&shards=2&loss=0&delay=5&to=100&digest=aaaaaaaaaaaaaaaa'
  expect(addresses.at(-1)).toBe(address)
  addresses.length = 0
  page.showAddress()
  expect(addresses).toEqual([address])
})
