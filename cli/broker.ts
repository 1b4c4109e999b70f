/** As whom to enter the broker. Passwords go from here to the connection and nowhere else: no log, no error, no report. */

import type { BrokerFlags } from './flags.ts'
import type { NatsOptions } from '../bus/nats.ts'

export const credentialsOf = ({ natsUser, natsPassword }: BrokerFlags): Pick<NatsOptions, 'user' | 'pass'> => ({
  ...(natsUser === undefined ? {} : { user: natsUser }),
  ...(natsPassword === undefined ? {} : { pass: natsPassword }),
})
