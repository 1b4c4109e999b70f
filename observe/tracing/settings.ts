/**
 * How the operator wants traces: flags of the command line first, then the names that OpenTelemetry gives to environment variables, then
 * what is usual here. What can not be is refused, before a node starts.
 *
 * `OTEL_EXPORTER_OTLP_ENDPOINT` is a base: over HTTP, `/v1/traces` is appended. `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is taken as it is.
 * Headers, certificates, time-outs and compression (`OTEL_EXPORTER_OTLP_HEADERS` and so on) are the exporter's own business.
 */

export const otlpProtocols = ['grpc', 'http/protobuf', 'http/json'] as const
export type OtlpProtocol = (typeof otlpProtocols)[number]

export interface TracingSettings {
  /** Null: spans leave this process nowhere. */
  readonly otlp: { readonly url: string; readonly protocol: OtlpProtocol } | null
  /** By a flag of this node, and not by an environment that may be a whole machine's. */
  readonly isAsked: boolean
  /** Of requests that come without a trace, from 0 to 1. */
  readonly ratio: number
  /** The same where spans turn out to leave this process nowhere after all. */
  readonly ratioAlone: number
  /** Sampled requests. */
  readonly perSecondMax: number
}

export interface TracingFlags {
  readonly otlpEndpoint?: string | undefined
  readonly otlpProtocol?: string | undefined
  readonly traceRatio?: number | undefined
  readonly tracesPerSecond: number
}

export const TRACES_PER_SECOND_DEFAULT = 100
/** Where spans are exported and nothing else is said. */
export const TRACE_RATIO_DEFAULT = 0.01

/** The operator asked for what can not be. */
export class TracingSettingsError extends Error {
  override readonly name = 'TracingSettingsError'
}

type Environment = Readonly<Record<string, string | undefined>>

export const tracingSettingsOf = (flags: TracingFlags, env: Environment): TracingSettings => {
  const named = (name: string): string | undefined => (env[name]?.trim() === '' ? undefined : env[name]?.trim())
  const otlp = otlpOf(flags, named)
  const ratio = flags.traceRatio ?? (otlp === null ? 0 : ratioIn(named) ?? TRACE_RATIO_DEFAULT)
  const isAsked = flags.otlpEndpoint !== undefined
  return { otlp, isAsked, ratio, ratioAlone: flags.traceRatio ?? 0, perSecondMax: flags.tracesPerSecond }
}

type Named = (name: string) => string | undefined

const otlpOf = ({ otlpEndpoint, otlpProtocol }: TracingFlags, named: Named): TracingSettings['otlp'] => {
  const whole = otlpEndpoint === undefined ? named('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') : undefined
  const base = otlpEndpoint ?? named('OTEL_EXPORTER_OTLP_ENDPOINT')
  const given = whole ?? base
  if (given === undefined || given === '') return null
  if (otlpEndpoint === undefined && (isDisabled(named) || isUnwanted(named('OTEL_TRACES_EXPORTER')))) return null
  const protocol = protocolOf(otlpProtocol ?? named('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') ?? named('OTEL_EXPORTER_OTLP_PROTOCOL'))
  const url = endpointOf(given)
  if (protocol === 'grpc' || whole !== undefined) return { protocol, url: given }
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/traces`
  return { protocol, url: url.href }
}

const isDisabled = (named: Named): boolean => named('OTEL_SDK_DISABLED')?.toLowerCase() === 'true'

const isUnwanted = (exporter: string | undefined): boolean => {
  if (exporter === undefined || exporter === 'otlp') return false
  if (exporter === 'none') return true
  throw new TracingSettingsError(`OTEL_TRACES_EXPORTER is "${exporter}": it is otlp, or none.`)
}

const protocolOf = (text = 'http/protobuf'): OtlpProtocol => {
  const known = otlpProtocols.find((each) => each === text)
  if (known === undefined) throw new TracingSettingsError(`"${text}" is no protocol of OTLP: use ${otlpProtocols.join(', ')}.`)
  return known
}

/** What is quoted of a wrong one is its beginning at most: credentials may stand anywhere behind that. */
const endpointOf = (text: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url !== null && (url.username !== '' || url.password !== '')) {
    throw new TracingSettingsError('An OTLP endpoint has no user or password in it: put credentials into OTEL_EXPORTER_OTLP_HEADERS.')
  }
  if (url !== null && /^https?:$/.test(url.protocol)) return url
  const what = url === null ? 'This' : `What begins with "${url.protocol}${url.host === '' ? '' : `//${url.host}`}"`
  throw new TracingSettingsError(
    `${what} is no OTLP endpoint: use an address such as http://127.0.0.1:4318 (gRPC: http://127.0.0.1:4317).`)
}

/** What the samplers of OpenTelemetry come to here, where whoever comes with a trace has decided already. */
const ratioIn = (named: Named): number | undefined => {
  if (isDisabled(named)) return undefined
  const sampler = named('OTEL_TRACES_SAMPLER')?.replace(/^parentbased_/, '')
  if (sampler === 'always_on') return 1
  if (sampler === 'always_off') return 0
  if (sampler !== undefined && sampler !== 'traceidratio') {
    const usable = 'traceidratio, always_on or always_off, also with parentbased_'
    throw new TracingSettingsError(`OTEL_TRACES_SAMPLER is "${sampler}": use ${usable}.`)
  }
  const text = named('OTEL_TRACES_SAMPLER_ARG')
  return text === undefined ? undefined : traceRatioOf(text, 'OTEL_TRACES_SAMPLER_ARG')
}

export const traceRatioOf = (text: string, name: string): number => {
  const ratio = Number(text)
  if (text.trim() !== '' && ratio >= 0 && ratio <= 1) return ratio
  throw new TracingSettingsError(`${name} is "${text}": it is a share from 0 to 1, such as 0.01.`)
}
