/**
 * Keeps secrets and values out of log lines, twice: fields that are named like one are never written, and whatever a line says, the
 * secrets of this process's own configuration are struck out of its text, with what looks like a NATS seed or a password in a URL. The
 * second is for what nobody thought of: an error's message, a library's exception.
 */

const STRUCK = '[redacted]'
/** Shorter ones would strike out words. */
const SECRET_CHARACTERS_MIN = 6

const names = ['password', 'pass', 'token', 'seed', 'nkey', 'secret', 'authorization', 'credentials', 'value', 'payload']
/** For pino: at the top of a line, and one below. */
export const redactedPaths: readonly string[] = names.flatMap((name) => [name, `*.${name}`])

/** Seeds are base32 of 58 characters that begin with S and the kind of key. */
const seed = /\bS[UANOCX][A-Z2-7]{56}\b/g
/**
 * A URL, or several with commas between, up to where it has ended for certain. The length of a scheme is bounded, or the time of the search
 * would grow with the square of the line.
 */
const urlsInText = /\b[a-z][a-z0-9+.-]{0,31}:\/\/[^\s"'`<>\\]*/gi
const nextUrl = /,(?=[a-z][a-z0-9+.-]{0,31}:\/\/)/i

export const createRedaction = (secrets: readonly string[]): ((line: string) => string) => {
  // As they stand in JSON, the longest first: one may be part of another.
  const known = [...new Set(secrets.filter((secret) => secret.length >= SECRET_CHARACTERS_MIN)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]))].sort((a, b) => b.length - a.length)
  return (line) => {
    let clean = line
    for (const secret of known) if (clean.includes(secret)) clean = clean.replaceAll(secret, STRUCK)
    if (clean.includes('://')) clean = clean.replaceAll(urlsInText, withoutCredentials)
    return clean.includes('S') ? clean.replaceAll(seed, STRUCK) : clean
  }
}

/**
 * Whatever stands before the last `@` goes: a password that nobody encoded may hold `@`, `/`, `,` or `?`. So an address loses its path up
 * to an `@` in it, and a list with one scheme for all loses its hosts before the last user. Better that than half a password.
 */
const withoutCredentials = (urls: string): string => urls.split(nextUrl).map((url) => {
  const begin = url.indexOf('://') + 3
  const end = url.lastIndexOf('@')
  return end < begin ? url : `${url.slice(0, begin)}${STRUCK}${url.slice(end)}`
}).join(',')
