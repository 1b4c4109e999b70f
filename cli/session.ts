/** One command's connection to the broker: opened, used, closed whatever happens. */

import { brokerOf } from './broker.ts'
import { CliError, ExitCode } from './exit.ts'
import type { Bus } from '../bus/port.ts'
import type { Broker } from './broker.ts'
import type { BrokerFlags } from './flags.ts'
import type { CliIo } from './io.ts'

/** Codes of the client library. */
const refusals: readonly unknown[] = ['AUTHORIZATION_VIOLATION', 'AUTHENTICATION_EXPIRED']
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
  const reason = reasonOf(error)
  if (refusals.includes((error as { readonly code?: unknown }).code)) return `the broker at ${where} refuses this user; ${LOGIN}`
  if (/certificate|self.signed|altname|\b(?:tls|ssl)\b/i.test(reason) && !/ENOTFOUND|EAI_AGAIN/.test(reason)) {
    return `no TLS with the broker at ${where} (${reason}); --tlsca names who vouches for it, --tlscert and --tlskey who you are`
  }
  return `no broker answers at ${where} (${reason}); start a cluster with "shardkv start", or name yours with --servers`
}

/** With what is below it: the client library says no more than "TLS" of a certificate that it does not trust. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const { message, chainedError } = error as Error & { readonly chainedError?: unknown }
  return chainedError instanceof Error && chainedError.message !== message ? `${message}: ${chainedError.message}` : message
}
