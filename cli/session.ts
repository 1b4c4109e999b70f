/** One command's connection to the broker: opened, used, closed whatever happens. */

import { refusedConnection } from '../bus/refusedConnection.ts'
import { brokerOf } from './broker.ts'
import { CliError, ExitCode } from './exit.ts'
import type { Bus } from '../bus/port.ts'
import type { Broker } from './broker.ts'
import type { BrokerFlags } from './flags.ts'
import type { CliIo } from './io.ts'

const LOGIN = 'set SHARDKV_NATS_USER and SHARDKV_NATS_PASSWORD, or give --creds FILE or --nkey FILE'

export const withBus = async <T>(io: CliIo, flags: BrokerFlags, work: (bus: Bus) => Promise<T>): Promise<T> => {
  const bus = await connect(io, await brokerOf(flags, io.files))
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
    throw new CliError(ExitCode.unavailable, troubleOf(error, broker.servers.join(', ')), { cause: error })
  }
}

const troubleOf = (error: unknown, where: string): string => {
  const { about, reason } = refusedConnection(error)
  switch (about) {
    case 'login': return `the broker at ${where} refuses this user; ${LOGIN}`
    case 'tls':
      return `no TLS with the broker at ${where} (${reason}); --tlsca names who vouches for it, --tlscert and --tlskey who you are`
    case 'headers': return `no connection to ${where}: ${reason}`
    case 'broker': return `no broker answers at ${where} (${reason}); start a cluster with "shardkv start", or name yours with --servers`
  }
}
