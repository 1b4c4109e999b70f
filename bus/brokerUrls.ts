/**
 * Addresses of a broker as people write them: `nats://host:4222`, and with a login as `nats://user:password@host:4222` or
 * `nats://token@host:4222`, percent-encoded. The client library would take no notice of a login, and addresses are printed: so it is taken
 * out here, and what can not be read is refused without repeating any of it, since nobody knows which part is the secret.
 */

export interface BrokerLogin {
  readonly user?: string
  readonly pass?: string
  readonly token?: string
}

export type BrokerUrls =
  | {
    readonly ok: true
    /** Without logins. */
    readonly servers: readonly string[]
    /** For all of them; null when no address has one. */
    readonly login: BrokerLogin | null
    /** What nobody may read, as written and as meant. */
    readonly secrets: readonly string[]
  }
  | { readonly ok: false; readonly reason: string }

interface Place {
  readonly server: string
  readonly login: BrokerLogin | null
  readonly written: string
}

const shape = /^(?:([a-z][a-z0-9+.-]*:\/\/)(?:([^@/?#\s]*)@)?)?([^@/?#\s]+?)\/?$/i
const hostAndPort = /^(?:\[[0-9a-f:.%]+\]|[^:[\]]+)(?::\d{1,5})?$/i
const bareIpv6 = /^[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*$/i
const FORM = 'nats://host:4222, or nats://user:password@host:4222 with % escapes for what is not a letter or digit'

export const parseBrokerUrls = (urls: readonly string[]): BrokerUrls => {
  if (urls.length === 0) return { ok: false, reason: `an address of the broker is missing; it is like ${FORM}` }
  const places = urls.map(placeOf)
  const unread = places.indexOf(null)
  if (unread >= 0) return { ok: false, reason: `address ${unread + 1} of ${urls.length} of the broker can not be read; it is like ${FORM}` }
  const read = places.filter((place) => place !== null)
  const logins = read.flatMap(({ login }) => (login === null ? [] : [login]))
  if (new Set(logins.map((login) => JSON.stringify(login))).size > 1) {
    return { ok: false, reason: 'the logins in the addresses of the broker differ; give one for all of them' }
  }
  const login = logins[0] ?? null
  const secrets = new Set([...read.map(({ written }) => written), login?.pass ?? '', login?.token ?? ''])
  return { ok: true, servers: read.map(({ server }) => server), login, secrets: [...secrets].filter((secret) => secret !== '') }
}

/** A list of them, as text with commas. */
export const splitBrokerUrls = (text: string): readonly string[] => text.split(',').map((url) => url.trim()).filter((url) => url !== '')

const placeOf = (url: string): Place | null => {
  const [whole, scheme = '', userInfo, host = ''] = shape.exec(url) ?? []
  if (whole === undefined || !(hostAndPort.test(host) || bareIpv6.test(host))) return null
  const server = `${scheme}${host}`
  if (userInfo === undefined) return { server, login: null, written: '' }
  const login = loginOf(userInfo)
  return login === null ? null : { server, login, written: userInfo.slice(userInfo.indexOf(':') + 1) }
}

/** Without a colon it is a token, as for other NATS programs. */
const loginOf = (userInfo: string): BrokerLogin | null => {
  const colon = userInfo.indexOf(':')
  try {
    const name = decodeURIComponent(colon < 0 ? userInfo : userInfo.slice(0, colon))
    if (name === '') return null
    return colon < 0 ? { token: name } : { user: name, pass: decodeURIComponent(userInfo.slice(colon + 1)) }
  } catch {
    return null
  }
}
