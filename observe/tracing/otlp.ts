/**
 * OTLP: OpenTelemetry's own exporters, and what they need to know of a span. Their packages are loaded only where an endpoint is
 * configured; they are optional dependencies, so that who wants none of them can do without (docs/adr/0010-spans-from-notes.md).
 *
 * The exporter tries again by itself, within its time-out of 10 s (`OTEL_EXPORTER_OTLP_TIMEOUT`), and reads headers, certificates and
 * compression from the environment. Its queue and its tracer are not used: observe/tracing has its own.
 */

import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import type { SpanContext } from '@opentelemetry/api'
import type { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import type * as Resources from '@opentelemetry/resources'
import type { Resource } from '@opentelemetry/resources'
import type { TraceContext } from '../../actors/kernel/trace.ts'
import type { OtlpProtocol, TracingSettings } from './settings.ts'
import type { FinishedSpan } from './span.ts'
import type { SpanExporter } from './spanQueue.ts'

/** A package is not there. */
export class OtlpError extends Error {
  override readonly name = 'OtlpError'
}

export interface OtlpIdentity {
  readonly node: string
  readonly version: string
  readonly env: Readonly<Record<string, string | undefined>>
}

type ResourcesPackage = Pick<typeof Resources, 'detectResources' | 'envDetector' | 'resourceFromAttributes'>
type Exporter = Pick<OTLPTraceExporter, 'export' | 'shutdown'>
type ReadableSpan = Parameters<Exporter['export']>[0][number]
type Filled<Type> = { -readonly [Name in keyof Type]: Type[Name] }

/** Of an exporter's result. */
const SUCCESS = 0

export type Load = (packageName: string) => Promise<unknown>

const RESOURCES = '@opentelemetry/resources'
const packages: Readonly<Record<OtlpProtocol, string>> = {
  grpc: '@opentelemetry/exporter-trace-otlp-grpc',
  'http/protobuf': '@opentelemetry/exporter-trace-otlp-proto',
  'http/json': '@opentelemetry/exporter-trace-otlp-http',
}

/** What is installed beside this file. */
export const loadInstalled: Load = (name) => {
  switch (name) {
    case packages.grpc: return import('@opentelemetry/exporter-trace-otlp-grpc')
    case packages['http/protobuf']: return import('@opentelemetry/exporter-trace-otlp-proto')
    case packages['http/json']: return import('@opentelemetry/exporter-trace-otlp-http')
    default: return import('@opentelemetry/resources')
  }
}

/** Rejects with an OtlpError where a package is not installed. */
export const openOtlpExporter = async (
  { url, protocol }: NonNullable<TracingSettings['otlp']>, identity: OtlpIdentity, load: Load,
): Promise<SpanExporter> => {
  const [exporters, resources] = await Promise.all([loadPackage(packages[protocol], load), loadPackage(RESOURCES, load)])
  const { OTLPTraceExporter: Exporter } = exporters as { readonly OTLPTraceExporter: new (config: { url: string }) => Exporter }
  const exporter = new Exporter({ url })
  const readable = createReadables(resourceOf(identity, resources as ResourcesPackage))
  return {
    send: (spans, done) => exporter.export(readable(spans), ({ code, error }) => {
      done((code as number) === SUCCESS ? null : new Error(reasonOf(error), { cause: error }))
    }),
    shutdown: () => {
      exporter.shutdown().catch(() => {})
    },
  }
}

/** Some have nothing but a code (an AggregateError of refused connections), some a message without it (HTTP 401). */
const reasonOf = (error: Error | undefined): string => {
  if (error === undefined) return 'the receiver did not take them'
  const { message, name, code = '' } = error as Error & { readonly code?: string | number }
  const known = message.includes(String(code)) ? message : `${code} ${message}`.trim()
  return known === '' ? name : known
}

const loadPackage = async (name: string, load: Load): Promise<unknown> => {
  try {
    return await load(name)
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message?: string }
    const isMissing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
    throw new OtlpError(isMissing
      ? `an OTLP endpoint is configured and the package ${name} is not installed: npm install ${name}, or configure none`
      : `the package ${name} can not be loaded: ${message ?? String(error)}`)
  }
}

const resourceOf = (
  { node, version, env }: OtlpIdentity, { detectResources, envDetector, resourceFromAttributes }: ResourcesPackage,
): Resource => {
  const own = resourceFromAttributes({
    'service.name': 'shardkv', 'service.version': version, 'service.instance.id': node, 'shardkv.node': node,
  })
  const named = env['OTEL_SERVICE_NAME']?.trim() ?? ''
  const merged = own.merge(detectResources({ detectors: [envDetector] }))
  return named === '' ? merged : merged.merge(resourceFromAttributes({ 'service.name': named }))
}

const kinds = { server: SpanKind.SERVER, consumer: SpanKind.CONSUMER, internal: SpanKind.INTERNAL } as const
const MS_PER_SECOND = 1_000
const NANOS_PER_MS = 1_000_000

/** The same object for all: serializers put together what has the same one. */
const scope = { name: 'shardkv' } as const

const failed = { code: SpanStatusCode.ERROR }
const unset = { code: SpanStatusCode.UNSET }

/** A span as the exporter reads it, and the objects in it that are filled anew for each. */
interface Readable {
  readonly span: Omit<Filled<ReadableSpan>, 'parentSpanContext'> & { parentSpanContext: SpanContext | undefined }
  readonly own: Filled<SpanContext>
  readonly parent: Filled<SpanContext>
  readonly start: Time
  readonly end: Time
  readonly duration: Time
}

/** Seconds and nanoseconds. */
type Time = [number, number]

/**
 * The spans of one export, in objects that are filled again for the next: made anew they were a sixth of all that tracing allocates. So an
 * export must be over before the next begins, and it holds what it was given no longer than that.
 *
 * Limit: as many as the largest export has had, about 700 bytes each.
 */
const createReadables = (resource: Resource): ((spans: readonly FinishedSpan[]) => ReadableSpan[]) => {
  const made: Readable[] = []
  return (spans) => {
    while (made.length < spans.length) made.push(emptyReadable(resource))
    return spans.map((span, i) => filled(made[i] as Readable, span))
  }
}

const emptyReadable = (resource: Resource): Readable => {
  const own = emptyContext()
  const start: Time = [0, 0]
  const end: Time = [0, 0]
  const duration: Time = [0, 0]
  const span = {
    name: '', kind: SpanKind.INTERNAL, spanContext: () => own, parentSpanContext: undefined,
    startTime: start, endTime: end, duration, ended: true, status: unset,
    attributes: {}, links: [], events: [], resource, instrumentationScope: scope,
    droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0,
  }
  return { span, own, parent: emptyContext(), start, end, duration }
}

const emptyContext = (): SpanContext => ({ traceId: '', spanId: '', traceFlags: 0, isRemote: false })

const filled = ({ span, own, parent, start, end, duration }: Readable, finished: FinishedSpan): ReadableSpan => {
  const { name, kind, traceId, spanId, flags, parentId, isParentRemote, startMs, endMs, attributes, links, isFailed } = finished
  span.name = name
  span.kind = kinds[kind]
  own.traceId = traceId
  own.spanId = spanId
  own.traceFlags = flags
  parent.traceId = traceId
  parent.spanId = parentId
  parent.traceFlags = flags
  parent.isRemote = isParentRemote
  span.parentSpanContext = parentId === '' ? undefined : parent
  setTime(start, startMs)
  setTime(end, endMs)
  setTime(duration, endMs - startMs)
  span.status = isFailed ? failed : unset
  span.attributes = attributes
  span.links = links.length === 0 ? unlinked : links.map(linkTo)
  return span as ReadableSpan
}

const unlinked: ReadableSpan['links'] = []

const linkTo = ({ traceId, spanId, flags }: TraceContext): ReadableSpan['links'][number] =>
  ({ context: { traceId, spanId, traceFlags: flags, isRemote: false } })

const setTime = (time: Time, ms: number): void => {
  const seconds = Math.floor(ms / MS_PER_SECOND)
  time[0] = seconds
  time[1] = Math.min(999_999_999, Math.round((ms - seconds * MS_PER_SECOND) * NANOS_PER_MS))
}
