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
  const denials = createRefusalLog(clock, log.child({ actor: 'bus', connection: name }), 'permission denied by the broker')
  bus.onEvent((event) => {
    const fields = { actor: 'bus', connection: name }
    switch (event.type) {
      case 'bus.connected': log.info(fields, 'connected to the broker again'); return
      case 'bus.disconnected': log.warn(fields, 'the connection to the broker is lost'); return
      case 'bus.lameDuck': log.info(fields, 'the broker is about to stop'); return
      case 'bus.slowConsumer': log.warn({ ...fields, subject: event.subject }, 'messages arrive faster than this node takes them'); return
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
