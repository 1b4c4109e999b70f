/** Why connecting to a broker failed, and what it is about: the client library says it with codes, and of TLS often no more than "tls". */

export interface RefusedConnection {
  /** Whom the broker does not let in, what TLS stands in the way of, a broker without headers, or one that is not there. */
  readonly about: 'login' | 'tls' | 'headers' | 'broker'
  readonly reason: string
}

const loginCodes: readonly unknown[] = ['AUTHORIZATION_VIOLATION', 'AUTHENTICATION_EXPIRED']
/** Something that the client wants and the broker's greeting does not offer; the message is its name. */
const NOT_OFFERED = 'SERVER_OPT_NA'

/** Status, revision and conditions travel as headers: the first answer could not be sent. */
export class NoHeadersError extends Error {
  override readonly name = 'NoHeadersError'

  constructor() {
    super('the broker carries no headers, which ShardKV needs: take no_header_support out of its configuration')
  }
}

export const refusedConnection = (error: unknown): RefusedConnection => {
  const { code } = error as { readonly code?: unknown }
  const reason = reasonOf(error)
  if (error instanceof NoHeadersError) return { about: 'headers', reason }
  if (code === NOT_OFFERED && reason === 'tls') return { about: 'tls', reason: 'the broker offers none' }
  if (loginCodes.includes(code) || /authoriz|authentic/i.test(reason)) return { about: 'login', reason }
  const isTls = /certificate|self.signed|altname|\b(?:tls|ssl|pem)\b/i.test(reason) && !/ENOTFOUND|EAI_AGAIN/.test(reason)
  return { about: isTls ? 'tls' : 'broker', reason }
}

/** With what is below it: the client library says no more than "TLS" of a certificate that it does not trust. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const { message, chainedError } = error as Error & { readonly chainedError?: unknown }
  return chainedError instanceof Error && chainedError.message !== message ? `${message}: ${chainedError.message}` : message
}
