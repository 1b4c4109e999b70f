/** From addresses and credentials to a Kv: the SDK with the real broker, clock and randomness behind its ports. */

import { randomBytes } from 'node:crypto'
import { createSystemClock } from '../actors/kernel/systemClock.ts'
import { parseBrokerUrls, splitBrokerUrls } from '../bus/brokerUrls.ts'
import { isCredentials, seedIn } from '../bus/credentials.ts'
import { isInboxPrefix } from '../bus/inboxPrefix.ts'
import { connectNats } from '../bus/nats.ts'
import { refusedConnection } from '../bus/refusedConnection.ts'
import { prefixProblem } from '../bus/subjects.ts'
import { createClient } from './client.ts'
import { bytes, codecProblem } from './codec.ts'
import { AbortError, InvalidError, UnauthorizedError, UnavailableError } from './errors.ts'
import { createKv } from './kv.ts'
import { IN_FLIGHT_BYTES_MAX, IN_FLIGHT_OPERATIONS_MAX, TIMEOUT_MS_DEFAULT } from './limits.ts'
import { namesProblem, optionsProblem } from './options.ts'
import { createTokens } from './tokens.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Consistency } from '../actors/shard/operation.ts'
import type { Bus } from '../bus/port.ts'
import type { Client } from './client.ts'
import type { Codec } from './codec.ts'
import type { ShardKvError } from './errors.ts'
import type { Kv } from './kv.ts'

/** Texts, or paths of the files that hold them. */
export interface Tls {
  /** Encrypted from the first byte on, as the broker must be configured too. */
  readonly handshakeFirst?: boolean
  readonly ca?: string
  readonly caFile?: string
  readonly cert?: string
  readonly certFile?: string
  readonly key?: string
  readonly keyFile?: string
}

export interface ConnectOptions {
  /**
   * Addresses of the broker: `nats://host:4222`, one or several, or a list with commas; `nats://user:password@host:4222` (percent-encoded)
   * in place of `user` and `password`, `nats://token@host:4222` in place of `token`. Default: `nats://127.0.0.1:4222`.
   */
  readonly servers?: string | readonly string[] | undefined
  /** The cluster's public prefix. Default: `kv`. */
  readonly prefix?: string | undefined
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly token?: string | undefined
  /** The content of a credentials file (`.creds`). */
  readonly creds?: string | Uint8Array | undefined
  readonly nkeySeed?: string | undefined
  readonly tls?: Tls | undefined
  /** Under which this user may receive, without the final dot. Default: `_INBOX`. */
  readonly inboxPrefix?: string | undefined
  /** For calls that say nothing else, and for connecting. Default: 5,000 ms. */
  readonly timeoutMs?: number | undefined
  /** For reads that say nothing else. Default: `linearizable`. */
  readonly consistency?: Consistency | undefined
  /** Shown by the broker's monitoring. */
  readonly name?: string | undefined
  /** Aborts the connecting. */
  readonly signal?: AbortSignal | undefined
  /** Operations in flight; above it: OverloadedError. Default: 16,384. */
  readonly inFlightOperationsMax?: number | undefined
  /** Bytes of their keys and values. Default: 64 MiB. */
  readonly inFlightBytesMax?: number | undefined
  /** Asked at every call for the trace it belongs to (W3C Trace Context), so that spans of the cluster are below those of the caller. */
  readonly traceparent?: (() => string | undefined) | undefined
}

export interface ConnectWithCodec<Value> extends ConnectOptions {
  readonly codec: Codec<Value>
}

const SERVER_DEFAULT = 'nats://127.0.0.1:4222'
const INBOX_DEFAULT = '_INBOX'
const INBOX_BYTES = 12

/** Connects and fetches the cluster's map. Rejects with UnavailableError, UnauthorizedError, InvalidError or AbortError. */
export function connect<Value>(options: ConnectWithCodec<Value>): Promise<Kv<Value>>
export function connect(options?: ConnectOptions): Promise<Kv<Uint8Array>>
export async function connect(options: ConnectOptions & { readonly codec?: unknown } = {}): Promise<unknown> {
  if (typeof options !== 'object' || options === null) throw new InvalidError('connect takes an object of options: connect({ servers }).')
  const { prefix = 'kv', timeoutMs = TIMEOUT_MS_DEFAULT, consistency = 'linearizable', codec = bytes } = options
  const misuse = namesProblem(options, connectNames) ?? codecProblem(codec) ?? limitsProblem(options) ?? placeProblem(options)
  if (misuse !== null) throw misuse
  const wrong = prefixProblem(prefix)
  if (wrong !== null) throw new InvalidError(`The option is wrong: ${wrong}.`)
  const problem = optionsProblem({ timeoutMs, consistency, signal: options.signal })
  if (problem !== null) throw problem
  const { servers, login } = placeOf(options)
  const giveUpAt = performance.now() + timeoutMs
  const opening = openBus({ ...options, ...login, servers })
  const bus = await within(opening, { options, servers, giveUpAt, late: (opened) => { opened.close() }, problem: () => '' })
  const client = createClient({
    bus,
    clock: createSystemClock(),
    random: secureRandom,
    prefix,
    inbox: `${options.inboxPrefix ?? INBOX_DEFAULT}.${randomBytes(INBOX_BYTES).toString('hex')}`,
    newToken: createTokens(),
    limits: {
      operationsMax: options.inFlightOperationsMax ?? IN_FLIGHT_OPERATIONS_MAX,
      bytesMax: options.inFlightBytesMax ?? IN_FLIGHT_BYTES_MAX,
    },
  })
  try {
    await within(client.ready(), { options, servers, giveUpAt, problem: client.problem })
  } catch (error) {
    client.fail('connecting failed')
    throw error
  }
  return createKv(client, codec as Codec<unknown>, { timeoutMs, consistency, traceparent: options.traceparent })
}

const connectNames: readonly (keyof ConnectWithCodec<unknown>)[] = [
  'servers', 'prefix', 'user', 'password', 'token', 'creds', 'nkeySeed', 'tls', 'inboxPrefix', 'timeoutMs', 'consistency', 'codec', 'name',
  'signal', 'inFlightOperationsMax', 'inFlightBytesMax', 'traceparent',
]

/** NaN would be a limit that nothing reaches. */
const limitsProblem = (options: ConnectOptions): InvalidError | null => {
  const wrong = (['inFlightOperationsMax', 'inFlightBytesMax'] as const).find((name) => {
    const limit = options[name]
    return limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1)
  })
  return wrong === undefined ? null : new InvalidError(`${wrong} is a whole number from 1.`)
}

/** What the client library would find out only when it connects, and then tell as if no broker were there. */
const placeProblem = (options: ConnectOptions): InvalidError | null => {
  const { servers, creds, nkeySeed, inboxPrefix, tls, traceparent } = options
  const notText = textNames.find((name) => options[name] !== undefined && typeof options[name] !== 'string')
  if (notText !== undefined) return new InvalidError(`${notText} is text.`)
  if (tls !== undefined && (typeof tls !== 'object' || tls === null)) return new InvalidError('tls is an object, such as { caFile }.')
  if (traceparent !== undefined && typeof traceparent !== 'function') {
    return new InvalidError('traceparent is a function that gives the trace of the moment: () => string | undefined.')
  }
  if (servers !== undefined && typeof servers !== 'string' && !isTexts(servers)) {
    return new InvalidError('servers is an address such as nats://127.0.0.1:4222, or a list of them.')
  }
  if (creds !== undefined && !isCredentials(creds instanceof Uint8Array ? Buffer.from(creds).toString() : creds)) {
    return new InvalidError('creds holds no JWT and seed of a user: it is the content of a credentials file, not its path.')
  }
  if (nkeySeed !== undefined && seedIn(nkeySeed) !== nkeySeed) {
    return new InvalidError('nkeySeed is no seed of a user: it begins with SU and has 58 characters.')
  }
  if (inboxPrefix === undefined || isInboxPrefix(inboxPrefix)) return null
  return new InvalidError('inboxPrefix is _INBOX, or a subject under it such as _INBOX.ann: nodes answer nowhere else.')
}

const textNames = ['prefix', 'user', 'password', 'token', 'nkeySeed', 'inboxPrefix', 'name'] as const

const isTexts = (given: unknown): boolean => Array.isArray(given) && given.every((one) => typeof one === 'string')

/** Session ids must not be met twice in all the world, so chance is the system's here and never a seed's. */
const secureRandom: Random = { uint32: () => randomBytes(4).readUInt32BE() }

interface Place {
  /** Without logins: they are named in errors. */
  readonly servers: readonly string[]
  readonly login: Pick<ConnectOptions, 'user' | 'password' | 'token'>
}

/** Throws InvalidError when an address can not be read, or there is a login in one and beside it. */
const placeOf = ({ servers = SERVER_DEFAULT, user, password, token, creds, nkeySeed }: ConnectOptions): Place => {
  const urls = parseBrokerUrls(typeof servers === 'string' ? splitBrokerUrls(servers) : servers.map((url) => url.trim()))
  if (!urls.ok) throw new InvalidError(`The option servers is wrong: ${urls.reason}.`)
  if (urls.login === null) return { servers: urls.servers, login: {} }
  if ([user, password, token, creds, nkeySeed].some((given) => given !== undefined)) {
    throw new InvalidError('The login is given twice, in an address of the option servers and beside it. Give it once.')
  }
  const { pass, ...login } = urls.login
  return { servers: urls.servers, login: pass === undefined ? login : { ...login, password: pass } }
}

const openBus = async (options: ConnectOptions & Pick<Place, 'servers'>): Promise<Bus> => {
  const { servers, user, password, token, creds, nkeySeed, tls, inboxPrefix, name } = options
  try {
    return await connectNats({
      servers,
      name: name ?? 'shardkv sdk',
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { pass: password }),
      ...(token === undefined ? {} : { token }),
      ...(creds === undefined ? {} : { creds }),
      ...(nkeySeed === undefined ? {} : { nkeySeed }),
      ...(tls === undefined ? {} : { tls }),
      ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
    })
  } catch (cause) {
    throw refusalOf(cause, servers)
  }
}

const refusalOf = (cause: unknown, servers: readonly string[]): ShardKvError => {
  const { about, reason } = refusedConnection(cause)
  const where = servers.join(', ')
  const text = `No broker at ${where} accepts the connection: ${reason}.`
  const details = { definite: true, cause }
  switch (about) {
    case 'login': return new UnauthorizedError(`${text} Check user, password, token or creds.`, details)
    case 'tls': {
      const advice = 'Check the option tls: ca or caFile is who vouches for the broker, cert and key who this client is.'
      return new UnavailableError(`No TLS with the broker at ${where} (${reason}). ${advice}`, details)
    }
    case 'headers': return new UnavailableError(`No connection to ${where}: ${reason}.`, details)
    case 'broker': return new UnavailableError(`${text} Is nats-server running there?`, details)
  }
}

interface Patience<Result> extends Pick<Place, 'servers'> {
  readonly options: ConnectOptions
  readonly giveUpAt: number
  /** What to do with what comes after nobody waits for it any more. */
  readonly late?: (result: Result) => void
  readonly problem: Client['problem']
}

/** Waits for a step of connecting, until its time is over or the signal says so. */
const within = <Result>(step: Promise<Result>, { options, servers, giveUpAt, late, problem }: Patience<Result>): Promise<Result> =>
  new Promise((resolve, reject) => {
    const { signal, prefix = 'kv' } = options
    let isOver = false
    const end = (): boolean => {
      const isFirst = !isOver
      isOver = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      return isFirst
    }
    const onAbort = (): void => {
      if (end()) reject(new AbortError('Connecting was aborted.', { definite: true, cause: signal?.reason }))
    }
    const timer = setTimeout(() => {
      const last = problem() === '' ? '' : ` Last: ${problem()}.`
      const message = `No ShardKV cluster answers on prefix "${prefix}" at ${servers.join(', ')}. Is one running there?${last}`
      if (end()) reject(new UnavailableError(message, { definite: true }))
    }, Math.max(1, giveUpAt - performance.now()))
    try {
      if (signal?.aborted === true) onAbort()
      else signal?.addEventListener('abort', onAbort, { once: true })
    } catch (error) {
      // A signal that throws ends the connecting, and what it opens comes too late.
      if (end()) reject(error)
    }
    step.then(
      (result) => { if (end()) resolve(result); else late?.(result) },
      (error: ShardKvError) => { if (end()) reject(error) },
    )
  })
