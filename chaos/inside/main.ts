/**
 * Loaded into a real node process by `--import`, before its first line: puts forgetful files under it (forgetfulFiles.ts), moves its wall
 * clock, and obeys orders. The channel keeps no process alive.
 */

import { register } from 'node:module'
import { obey, spell } from './orders.ts'
import type { Order } from './orders.ts'

register('./loader.js', import.meta.url)

const wallClock = Date.now
Date.now = () => wallClock() + spell.clockOffsetMs

process.on('message', (order) => obey(order as Order))
process.channel?.unref()
