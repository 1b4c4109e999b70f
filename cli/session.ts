/** One command's connection to the broker: opened, used, closed whatever happens. */

import { brokerOf } from './broker.ts'
import { CliError, ExitCode } from './exit.ts'
import type { Bus } from '../bus/port.ts'
import type { Broker } from './broker.ts'
import type { BrokerFlags } from './flags.ts'
import type { CliIo } from './io.ts'

const REFUSED = 'AUTHORIZATION_VIOLATION'

export const withBus = async <T>(io: CliIo, flags: BrokerFlags, work: (bus: Bus) => Promise<T>): Promise<T> => {
  const bus = await connect(io, brokerOf(flags))
  try {
    return await work(bus)
  } finally {
    bus.close()
  }
}

const connect = async (io: CliIo, broker: Broker): Promise<Bus> => {
  try {
    return await io.connect(broker)
  } catch (error) {
    const where = broker.servers.join(', ')
    if ((error as { readonly code?: unknown }).code === REFUSED) {
      throw new CliError(ExitCode.unavailable,
        `the broker at ${where} refuses this user; set SHARDKV_NATS_USER and SHARDKV_NATS_PASSWORD`, { cause: error })
    }
    const reason = error instanceof Error ? error.message : String(error)
    throw new CliError(ExitCode.unavailable,
      `no broker answers at ${where} (${reason}); start a cluster with "shardkv start", or name yours with --servers`,
      { cause: error })
  }
}
