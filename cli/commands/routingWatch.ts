/**
 * When a node asks anew how requests come: after its connections are back, since a broker may have been restarted with another mapping,
 * and now and then, since one can read its configuration again without a restart. Otherwise `status` and `doctor` would go by the broker
 * of long ago, whatever was mended since.
 */

import type { Clock } from '../../actors/kernel/clock.ts'
import type { Bus } from '../../bus/port.ts'

const EVERY_MS = 60_000

export interface RoutingWatch {
  readonly clock: Pick<Clock, 'after'>
  /** Probes leave on one of them and arrive on another. */
  readonly buses: readonly Bus[]
  readonly check: () => void
}

export const watchRouting = ({ clock, buses, check }: RoutingWatch): void => {
  const checkIfConnected = (): void => {
    if (buses.every((bus) => bus.status().connected)) check()
  }
  for (const bus of buses) bus.onEvent((event) => { if (event.type === 'bus.connected') checkIfConnected() })
  const again = (): void => {
    checkIfConnected()
    clock.after(EVERY_MS, again)
  }
  clock.after(EVERY_MS, again)
}
