/**
 * Where the broker is, as whom to enter it and where to hear answers, from the flags and the files that they name. Secrets go from here to
 * the connection, and to the list of what a node's log strikes out, and nowhere else: no log, no error, no report.
 */

import { resolve } from 'node:path'
import { parseBrokerUrls } from '../bus/brokerUrls.ts'
import { CliError, ExitCode } from './exit.ts'
import type { BrokerFlags } from './flags.ts'
import type { BrokerLogin } from '../bus/brokerUrls.ts'
import type { NatsOptions } from '../bus/nats.ts'
import type { LocalFiles } from '../storage/localFiles.ts'

/** `servers` without logins: they may be printed. */
export type Broker = Pick<NatsOptions, 'servers' | 'user' | 'pass' | 'token' | 'nkeySeed' | 'tls'> & {
  readonly creds?: string
  /** Under which this user may receive, without the final dot. */
  readonly inboxPrefix: string
}

/** Throws when an address or a file can not be read, or the login is given twice. */
export const brokerOf = async (given: BrokerFlags, files: Pick<LocalFiles, 'readText'>): Promise<Broker> => {
  const flags = withoutEmpty(given)
  const { servers, login } = urlsOf(flags)
  const ways = loginsIn(flags)
  if (ways.length + (login === null ? 0 : 1) > 1) {
    throw new CliError(ExitCode.usage, `the login of the broker is given twice, ${login === null ? '' : 'in an address and '}`
      + `by ${ways.join(' and ')} (or a variable of the environment, such as SHARDKV_NATS_USER): give one`)
  }
  return { servers, inboxPrefix: flags.inboxPrefix, ...login, ...await loginOf(flags, files), ...tlsOf(flags) }
}

/** A variable that is set to nothing names no file and no user. A password may be empty. */
const withoutEmpty = (flags: BrokerFlags): BrokerFlags =>
  Object.fromEntries(Object.entries(flags).filter(([name, value]) => value !== '' || name === 'natsPassword')) as unknown as BrokerFlags

/** The ways of a login that are taken, by their flags. */
const loginsIn = ({ natsUser, natsPassword, natsToken, creds, nkey }: BrokerFlags): readonly string[] => [
  ...(natsUser === undefined && natsPassword === undefined ? [] : ['--nats-user and --nats-password']),
  ...(natsToken === undefined ? [] : ['--nats-token']), ...(creds === undefined ? [] : ['--creds']),
  ...(nkey === undefined ? [] : ['--nkey']),
]

const loginOf = async (
  { natsUser, natsPassword, natsToken, creds, nkey }: BrokerFlags, files: Pick<LocalFiles, 'readText'>,
): Promise<BrokerLogin & Pick<Broker, 'creds' | 'nkeySeed'>> => ({
  ...(natsUser === undefined ? {} : { user: natsUser }),
  ...(natsPassword === undefined ? {} : { pass: natsPassword }),
  ...(natsToken === undefined ? {} : { token: natsToken }),
  ...(creds === undefined ? {} : { creds: await credsIn(creds, files) }),
  ...(nkey === undefined ? {} : { nkeySeed: await seedIn(nkey, files) }),
})

/** The client library reads these files itself, anew for each connection: a certificate may be renewed while a node runs. */
const tlsOf = ({ tlsca, tlscert, tlskey, tlsfirst }: BrokerFlags): Pick<Broker, 'tls'> => {
  if ((tlscert === undefined) !== (tlskey === undefined)) {
    throw new CliError(ExitCode.usage, '--tlscert and --tlskey belong together: a certificate and its private key')
  }
  const tls = {
    ...(tlsca === undefined ? {} : { caFile: resolve(tlsca) }),
    ...(tlscert === undefined || tlskey === undefined ? {} : { certFile: resolve(tlscert), keyFile: resolve(tlskey) }),
    ...(tlsfirst === true ? { handshakeFirst: true } : {}),
  }
  return Object.keys(tls).length === 0 ? {} : { tls }
}

const credsIn = async (path: string, files: Pick<LocalFiles, 'readText'>): Promise<string> => {
  const text = await textIn('--creds', path, files)
  if (/BEGIN NATS USER JWT/.test(text) && seedLine.test(text)) return text
  throw new CliError(ExitCode.usage, `${path}, named by --creds, holds no JWT and seed of a user; "nsc generate creds" writes such a file`)
}

const seedIn = async (path: string, files: Pick<LocalFiles, 'readText'>): Promise<string> => {
  const [seed] = seedLine.exec(await textIn('--nkey', path, files)) ?? []
  if (seed !== undefined) return seed
  throw new CliError(ExitCode.usage, `${path}, named by --nkey, holds no seed of a user, which begins with SU; "nk -gen user" writes one`)
}

/** Of a user's nkey: 58 digits of base 32. */
const seedLine = /^SU[A-Z2-7]{56}$/m

const textIn = async (name: string, path: string, files: Pick<LocalFiles, 'readText'>): Promise<string> => {
  const text = await files.readText(path).catch((error: NodeJS.ErrnoException) => {
    throw new CliError(ExitCode.usage, `${path}, named by ${name}, can not be read (${error.code ?? error.message})`, { cause: error })
  })
  if (text === null) throw new CliError(ExitCode.usage, `${path}, named by ${name}, is not there`)
  return text
}

/** As they were written and as they are sent; `broker` is what came of `flags`. */
export const brokerSecrets = (flags: BrokerFlags, { creds, nkeySeed }: Broker): readonly string[] => [
  ...urlsOf(flags).secrets,
  ...[flags.natsPassword, flags.natsToken, nkeySeed, seedLine.exec(creds ?? '')?.[0]].filter((secret) => secret !== undefined),
]

const urlsOf = ({ servers }: BrokerFlags): Extract<ReturnType<typeof parseBrokerUrls>, { ok: true }> => {
  const urls = parseBrokerUrls(servers)
  if (!urls.ok) throw new CliError(ExitCode.usage, urls.reason)
  return urls
}

/** Nodes answer nowhere else (docs/SUBJECTS.md). */
export const isInboxPrefix = (text: string): boolean =>
  /^_INBOX(?:\.[^\s.*>]+)*$/.test(text) && text.length <= INBOX_PREFIX_LENGTH_MAX

export const INBOX_PREFIX_LENGTH_MAX = 200

/** A subject that only this process hears on. */
export const inboxOf = ({ inboxPrefix }: Pick<Broker, 'inboxPrefix'>, id: string): string => `${inboxPrefix}.${id}`
