/**
 * Loaded into a real node process by `--import`, before its first line: moves its wall clock and obeys orders. The forgetful files come by
 * chaos/ground/hauntedBuild.ts. The channel keeps no process alive.
 */

import { obey, spell } from './orders.ts'
import type { Order } from './orders.ts'

const wallClock = Date.now
Date.now = () => wallClock() + spell.clockOffsetMs

process.on('message', (order) => obey(order as Order))
process.channel?.unref()
