/**
 * The request id of a change that came with an Idempotency-Key: the key and what was asked for, so that the same key with another change
 * is another request, which is not answered as the first was. The two are apart for the meta group's leader, which refuses a key that was
 * given to another change (actors/topology/requestKeys.ts).
 *
 * Digests, 128 bits of SHA-256 each, since an id has at most REQUEST_CHARACTERS_MAX characters and a key alone may have as many. How a
 * change is carried out (an epoch, by force) is no part of it: a repetition may be more insistent.
 */

import { createHash } from 'node:crypto'
import { keyedRequest } from '../../actors/topology/protocol.ts'

const DIGEST_CHARACTERS = 22

/** `change` is plain data; the order of its fields does not matter. */
export const requestIdOf = (key: string, change: object): string =>
  keyedRequest(digest(key), digest(JSON.stringify(Object.entries(change).sort(([a], [b]) => (a < b ? -1 : 1)))))

const digest = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, DIGEST_CHARACTERS)
