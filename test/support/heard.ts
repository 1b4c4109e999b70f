/** A raw request of NATS' own client, asked again while nobody hears it: nothing happened then, and it is so while a leadership moves. */

import { setTimeout as pause } from 'node:timers/promises'
import { ErrorCode, NatsError } from 'nats'
import type { Msg, NatsConnection } from 'nats'

const HEARD_WITHIN_MS = 10_000
const RETRY_MS = 25
/** NATS' own status when a subject has no subscriber. */
const NOBODY: string = ErrorCode.NoResponders

export const requestHeard = async (connection: NatsConnection, ...request: Parameters<NatsConnection['request']>): Promise<Msg> => {
  const giveUpAt = performance.now() + HEARD_WITHIN_MS
  for (;;) {
    try {
      return await connection.request(...request)
    } catch (error) {
      if (!(error instanceof NatsError) || error.code !== NOBODY || performance.now() > giveUpAt) throw error
      await pause(RETRY_MS)
    }
  }
}
