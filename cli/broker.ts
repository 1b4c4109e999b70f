/**
 * Where the broker is, as whom to enter it and where to hear answers, from the flags. Passwords go from here to the connection, and to the
 * list of what a node's log strikes out, and nowhere else: no log, no error, no report.
 */

import { parseBrokerUrls } from '../bus/brokerUrls.ts'
import { CliError, ExitCode } from './exit.ts'
import type { BrokerFlags } from './flags.ts'
import type { NatsOptions } from '../bus/nats.ts'

/** `servers` without logins: they may be printed. */
export type Broker = Pick<NatsOptions, 'servers' | 'user' | 'pass' | 'token'> & {
  /** Under which this user may receive, without the final dot. */
  readonly inboxPrefix: string
}

/** Throws when an address can not be read, or the login is given twice. */
export const brokerOf = (flags: BrokerFlags): Broker => {
  const { servers, login } = urlsOf(flags)
  const { natsUser, natsPassword, inboxPrefix } = flags
  if (login !== null && (natsUser !== undefined || natsPassword !== undefined)) {
    throw new CliError(ExitCode.usage,
      'the login of the broker is given twice, in an address and by --nats-user or --nats-password (or SHARDKV_NATS_USER and _PASSWORD)')
  }
  return {
    servers,
    inboxPrefix,
    ...(natsUser === undefined ? {} : { user: natsUser }),
    ...(natsPassword === undefined ? {} : { pass: natsPassword }),
    ...login,
  }
}

/** As they were written and as they are sent. */
export const brokerSecrets = (flags: BrokerFlags): readonly string[] =>
  [...urlsOf(flags).secrets, ...(flags.natsPassword === undefined ? [] : [flags.natsPassword])]

const urlsOf = ({ servers }: BrokerFlags): Extract<ReturnType<typeof parseBrokerUrls>, { ok: true }> => {
  const urls = parseBrokerUrls(servers)
  if (!urls.ok) throw new CliError(ExitCode.usage, urls.reason)
  return urls
}

/** A subject that only this process hears on. */
export const inboxOf = ({ inboxPrefix }: Pick<Broker, 'inboxPrefix'>, id: string): string => `${inboxPrefix}.${id}`
