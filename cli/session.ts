/** One command's connection to the broker: opened, used, closed whatever happens. */

import { CliError, ExitCode } from './exit.ts'
import type { Bus } from '../bus/port.ts'
import type { CliIo } from './io.ts'

export const withBus = async <T>(io: CliIo, servers: readonly string[], work: (bus: Bus) => Promise<T>): Promise<T> => {
  const bus = await connect(io, servers)
  try {
    return await work(bus)
  } finally {
    bus.close()
  }
}

const connect = async (io: CliIo, servers: readonly string[]): Promise<Bus> => {
  try {
    return await io.connect(servers)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CliError(ExitCode.unavailable,
      `no broker answers at ${servers.join(', ')} (${reason}); start a cluster with "shardkv start", or name yours with --servers`,
      { cause: error })
  }
}
