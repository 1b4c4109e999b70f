/**
 * What exporters say to their receivers in headers, mostly tokens: no log line of this process may show it. Left out is what would strike
 * out more than it hides: short words, and numbers, which stand in log lines without quotes (a tenant's, say): those are no secrets.
 */

const names = ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'OTEL_EXPORTER_OTLP_LOGS_HEADERS']
/** The shortest value that is struck out. Names of fields, actors and events of a log line are shorter, as a rule. */
const CHARACTERS_MIN = 8
const number = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i

export const otlpSecrets = (env: Readonly<Record<string, string | undefined>>): readonly string[] =>
  names.flatMap((name) => (env[name] ?? '').split(',')).flatMap((pair) => formsOf(pair.slice(pair.indexOf('=') + 1).trim()))
    .filter((value) => value.length >= CHARACTERS_MIN && !number.test(value))

/** As it stands in the environment, as it is sent, and without "Bearer" before it. */
const formsOf = (value: string): readonly string[] => {
  let sent = value
  try {
    sent = decodeURIComponent(value)
  } catch {
    // Not percent-encoded: it is sent as it is.
  }
  return [value, sent, sent.split(' ').at(-1) ?? '']
}
