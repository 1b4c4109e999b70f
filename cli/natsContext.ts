/**
 * A context of the `nats` command (nats-io's ADR 21): a file in which the address of a broker, the login and the certificates lie together
 * under a name. Only the one that is named: the context that is selected there may be any broker's.
 */

import { homedir } from 'node:os'
import { join } from 'node:path'
import { splitBrokerUrls } from '../bus/brokerUrls.ts'
import { isInboxPrefix } from '../bus/inboxPrefix.ts'
import { createLocalFiles } from '../storage/localFiles.ts'
import { CliError, ExitCode } from './exit.ts'
import { fileTrouble } from './fileTrouble.ts'
import type { BrokerFlags } from './flags.ts'

type Environment = Readonly<Record<string, string | undefined>>
export type ContextFlags = Partial<BrokerFlags>

/** By their names in the file. */
const texts = {
  user: 'natsUser', password: 'natsPassword', token: 'natsToken', creds: 'creds', nkey: 'nkey', ca: 'tlsca', cert: 'tlscert', key: 'tlskey',
  inbox_prefix: 'inboxPrefix',
} as const
/** What this program can not do, and must not leave out without a word. */
const foreign = ['nsc', 'socks_proxy', 'user_jwt', 'windows_cert_store'] as const

export const readContext = async (name: string, env: Environment): Promise<ContextFlags> => {
  const home = filled(env['HOME']) ?? homedir()
  const folder = join(filled(env['XDG_CONFIG_HOME']) ?? join(home, '.config'), 'nats', 'context')
  if (!/^[\w-][\w.-]*$/.test(name)) throw new CliError(ExitCode.usage, `"${name}" is no name of a context; "nats context ls" lists them`)
  const path = join(folder, `${name}.json`)
  const text = await createLocalFiles().readText(path).catch((error: NodeJS.ErrnoException) => {
    throw new CliError(ExitCode.usage, `the context ${name} can not be read: ${fileTrouble(error) ?? error.message}`, { cause: error })
  })
  if (text === null) throw new CliError(ExitCode.usage, `there is no context ${name} (${path}); "nats context ls" lists them`)
  const fields = fieldsIn(text, path)
  const beyond = foreign.find((field) => textOf(fields[field]) !== '')
  if (beyond !== undefined) {
    throw new CliError(ExitCode.usage,
      `the context ${name} has "${beyond}", which shardkv does not know: give --servers and the login instead`)
  }
  const inbox = textOf(fields['inbox_prefix'])
  if (inbox !== '' && !isInboxPrefix(inbox)) {
    throw new CliError(ExitCode.usage, `the context ${name} has the inbox_prefix "${inbox}": nodes answer in and under _INBOX alone`)
  }
  const url = textOf(fields['url'])
  const given = Object.entries(texts).map(([field, flag]) => [flag, textOf(fields[field])] as const).filter(([, value]) => value !== '')
  const paths = new Set<string>(['creds', 'nkey', 'tlsca', 'tlscert', 'tlskey'])
  return {
    ...(url === '' ? {} : { servers: splitBrokerUrls(url) }),
    ...Object.fromEntries(given.map(([flag, value]) => [flag, paths.has(flag) ? value.replace(/^~(?=\/)/, home) : value])),
    ...(fields['tls_first'] === true ? { tlsfirst: true } : {}),
  }
}

/** A variable that is set to nothing is as if it were not there. */
export const filled = (value: string | undefined): string | undefined => (value === '' ? undefined : value)

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

const fieldsIn = (text: string, path: string): Readonly<Record<string, unknown>> => {
  try {
    const found = JSON.parse(text) as unknown
    if (typeof found === 'object' && found !== null) return found as Readonly<Record<string, unknown>>
  } catch {
    // Said below.
  }
  throw new CliError(ExitCode.usage, `${path} is no context: it is not a JSON object`)
}
