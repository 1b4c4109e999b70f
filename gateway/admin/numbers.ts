/**
 * Numbers in paths and queries, which come as text: decimal digits and nothing else. What JavaScript makes of other texts is somebody's
 * surprise: a blank is 0, `0x7` is 7, and a transfer asked for shard " " would be one of shard 0.
 */

import { z } from '@hono/zod-openapi'

const WHOLE = /^(?:0|[1-9]\d{0,15})$/
/** Clocks give fractions of a millisecond. */
const MOMENT = /^(?:0|[1-9]\d{0,15})(?:\.\d{1,20})?$/

const text = z.string().regex(WHOLE, 'a whole number in decimal digits, without sign, blank or leading zero')

/** From `minimum` on. */
export const whole = (minimum = 0) => text.transform(Number).pipe(z.int().min(minimum)).openapi({ type: 'integer', minimum })

/** How many of something: 1 to `maximum`. */
export const limit = (maximum: number, byDefault: number) => text.transform(Number).pipe(z.int().min(1).max(maximum))
  .default(byDefault).openapi({ type: 'integer', minimum: 1, maximum, default: byDefault })

/** Milliseconds since 1970. */
export const moment = z.string().regex(MOMENT, 'milliseconds since 1970, in decimal digits').transform(Number)
  .openapi({ type: 'number', minimum: 0, description: 'Milliseconds since 1970.' })
