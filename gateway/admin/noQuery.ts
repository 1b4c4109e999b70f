/**
 * Of an operation that takes nothing in its query. A name that an operation does not know is refused, as an unknown field of a body is:
 * left unread, a misspelt `?dran=n2` would be answered as if nothing were to move.
 */

import { z } from '@hono/zod-openapi'

export const noQuery = z.strictObject({})
