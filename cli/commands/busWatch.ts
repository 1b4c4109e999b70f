/**
 * What happens to a node's connections, in its log. A permission that is missing would otherwise only show as silence: the broker drops
 * what it denies. A connection that is closed for good (the broker refuses the user twice in a row) ends the process, since
 * a node without its bus is no node.
 */

import { createRefusalLog } from '../../bus/refusalLog.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { Logger } from '../../actors/kernel/log.ts'
import type { Bus } from '../../bus/port.ts'

export interface BusWatch {
  /** `data`, `doors` or `control`. */
  readonly name: string
  readonly clock: Clock
  readonly log: Logger
  /** Not called for a connection that this process has closed itself. */
  readonly onLost: (reason: string) => void
}

export const watchBus = (bus: Bus, { name, clock, log, onLost }: BusWatch): void => {
  const busLog = log.child({ actor: 'bus', connection: name })
  const denials = createRefusalLog(clock, busLog, 'permission denied by the broker')
  bus.onEvent((event) => {
    switch (event.type) {
      case 'bus.connected': busLog.info({}, 'connected to the broker again'); return
      case 'bus.disconnected':
        busLog.warn(event.reason === undefined ? {} : { reason: event.reason }, 'the connection to the broker is lost')
        return
      case 'bus.lameDuck': busLog.info({}, 'the broker is about to stop'); return
      case 'bus.slowConsumer': busLog.warn({ subject: event.subject }, 'messages arrive faster than this node takes them'); return
      case 'bus.permissionDenied':
        denials.note(event.operation, `${event.operation} ${event.subject}; "shardkv nats-config --cluster" prints what a node needs`)
        return
      case 'bus.closed':
        if (event.reason !== undefined) onLost(event.reason)
        return
    }
    event satisfies never
  })
}
