/**
 * What people who use NATS have already, as the `nats` command reads it: a context that they name, or NATS_URL and the login that belongs
 * to it in their environment.
 *
 * The environment counts where nothing else says which broker is meant: with `--servers` (or SHARDKV_SERVERS) none of it is read, for it
 * speaks of another broker, whose login is nobody else's business and whose certificates would make TLS of a connection that has none.
 */

import { parseBrokerUrls } from '../bus/brokerUrls.ts'
import { CliError, ExitCode } from './exit.ts'
import { readContext } from './natsContext.ts'
import type { Command } from 'commander'
import type { ContextFlags } from './natsContext.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** By the flag, as commander names it. */
const files = { tlsca: 'NATS_CA', tlscert: 'NATS_CERT', tlskey: 'NATS_KEY' } as const
const logins = ['natsUser', 'natsPassword', 'natsToken', 'creds', 'nkey'] as const

/** Fills what neither a flag nor its own variable has said, once the command line has been read. */
export const heedNatsEnvironment = (command: Command, env: Environment): Command => command.hook('preAction', async () => {
  const context = command.getOptionValue('context') as string | undefined
  if (command.getOptionValueSource('servers') !== 'default') {
    if (command.getOptionValueSource('context') !== 'cli') return
    throw new CliError(ExitCode.usage, 'the broker is given twice, by --servers and by --context: give one')
  }
  const fill = (name: string, value: unknown): void => {
    const isGiven = !['default', undefined].includes(command.getOptionValueSource(name))
    if (!isGiven && value !== undefined && value !== '') command.setOptionValueWithSource(name, value, 'env')
  }
  const found = context === undefined ? placeIn(env) : await readContext(context, env)
  // The parts of two logins are no login.
  const isLoginGiven = logins.some((name) => command.getOptionValue(name) !== undefined) || hasLogin(found.servers ?? usualServers(command))
  for (const [name, value] of Object.entries(found)) if (!(isLoginGiven && logins.some((login) => login === name))) fill(name, value)
})

const usualServers = (command: Command): readonly string[] => command.getOptionValue('servers') as readonly string[]

const hasLogin = (servers: readonly string[]): boolean => {
  const urls = parseBrokerUrls(servers)
  return urls.ok && urls.login !== null
}

/** NATS_URL itself is what `--servers` falls back to. */
const placeIn = (env: Environment): ContextFlags => {
  const given = Object.entries(files).flatMap(([name, variable]) => (env[variable] === undefined ? [] : [[name, env[variable]] as const]))
  return { ...Object.fromEntries(given), ...loginIn(env) }
}

/** One, in the order in which the `nats` command prefers them. A user without a password is a token there. */
const loginIn = (env: Environment): ContextFlags => {
  const { NATS_CREDS: creds = '', NATS_NKEY: nkey = '', NATS_USER: user = '', NATS_PASSWORD: password = '' } = env
  if (creds !== '') return { creds }
  if (nkey !== '') return { nkey }
  return password === '' ? { natsToken: user } : { natsUser: user, natsPassword: password }
}
