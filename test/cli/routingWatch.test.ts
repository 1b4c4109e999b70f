/** When a node asks anew how requests come to leaders. What the doctor then says: test/e2e/doctor.test.ts. */

import { expect, test } from '@jest/globals'
import { watchRouting } from '../../cli/commands/routingWatch.ts'
import { fakeCluster } from './fakes.ts'
import type { Bus, BusEvent } from '../../bus/port.ts'

const watched = () => {
  const connected = { doors: true, control: true }
  const emits: ((event: BusEvent) => void)[] = []
  let checks = 0
  let wake = (): void => {}
  let wakeAfterMs = 0
  const busOf = (name: keyof typeof connected): Bus => {
    const { bus } = fakeCluster(() => 'timeout')
    return {
      ...bus,
      status: () => ({ ...bus.status(), connected: connected[name] }),
      onEvent: (listener) => { emits.push(listener) },
    }
  }
  watchRouting({
    clock: { after: (ms, fn) => { [wakeAfterMs, wake] = [ms, fn]; return () => {} } },
    buses: [busOf('doors'), busOf('control')],
    check: () => { checks += 1 },
  })
  const tell = (type: 'bus.connected' | 'bus.disconnected', which: number): void => emits[which]?.({ type })
  return { connected, tell, checks: () => checks, wake: () => { wake() }, wakeAfterMs: () => wakeAfterMs }
}

test('how requests come is asked once both connections are back, and not while one is away', () => {
  const { connected, tell, checks } = watched()
  Object.assign(connected, { doors: false, control: false })
  tell('bus.disconnected', 0)
  connected.doors = true
  tell('bus.connected', 0)
  expect(checks()).toBe(0)
  connected.control = true
  tell('bus.connected', 1)
  expect(checks()).toBe(1)
})

test('how requests come is asked every minute, since a broker may read its configuration again', () => {
  const { connected, checks, wake, wakeAfterMs } = watched()
  expect([checks(), wakeAfterMs()]).toEqual([0, 60_000])
  wake()
  connected.control = false
  wake()
  connected.control = true
  wake()
  expect(checks()).toBe(2)
})
