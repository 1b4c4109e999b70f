/** Ids of traces and spans from the system's randomness, drawn from it a page at a time: a call for each would cost more than the span. */

import { randomFillSync } from 'node:crypto'
import type { SpanIds } from './span.ts'

const PAGE_BYTES = 4_096
const TRACE_BYTES = 16
const SPAN_BYTES = 8

export const createRandomIds = (): SpanIds => {
  const page = Buffer.alloc(PAGE_BYTES)
  let used = PAGE_BYTES
  const draw = (bytes: number): string => {
    if (used + bytes > PAGE_BYTES) {
      randomFillSync(page)
      used = 0
    }
    used += bytes
    return page.toString('hex', used - bytes, used)
  }
  return { trace: () => draw(TRACE_BYTES), span: () => draw(SPAN_BYTES) }
}
