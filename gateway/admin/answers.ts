/** What every operation of the admin API may answer, as it is described: JSON, or a problem. */

import { PROBLEM_TYPE } from './problems.ts'
import { problem } from './views.ts'
import type { z } from '@hono/zod-openapi'

export const json = <T extends z.ZodType>(schema: T, description: string) => ({ content: { 'application/json': { schema } }, description })

export const failure = {
  default: {
    content: { [PROBLEM_TYPE]: { schema: problem } },
    description: 'Why not, and what would be possible.',
    headers: {
      'Retry-After': { description: 'With 503 alone: in how many seconds to ask again.', schema: { type: 'integer', minimum: 1 } as const },
    },
  },
}
