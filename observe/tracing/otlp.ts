/**
 * OTLP: OpenTelemetry's own exporters, and what they need to know of a span. Their packages are loaded only where an endpoint is
 * configured, and installed by whoever configures one, as those of log targets are (docs/adr/0010-spans-from-notes.md).
 *
 * The exporter tries again by itself, within its time-out of 10 s (`OTEL_EXPORTER_OTLP_TIMEOUT`), and reads headers, certificates and
 * compression from the environment. Its queue and its tracer are not used: observe/tracing has its own. Nor is its encoder of protobuf, as
 * long as it can be replaced: spanEncoder.ts takes a quarter of the time. Where an exporter is made otherwise than those that are known
 * here, it is handed what it wants, and encodes by itself.
 */

import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { createSpanEncoder } from './spanEncoder.ts'
import type { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import type * as Resources from '@opentelemetry/resources'
import type { Resource } from '@opentelemetry/resources'
import type { TraceContext } from '../../actors/kernel/trace.ts'
import type { OtlpProtocol, TracingSettings } from './settings.ts'
import type { FinishedSpan } from './span.ts'
import type { SpanExporter } from './spanQueue.ts'

/** A package is not there, or can not be loaded. */
export class OtlpError extends Error {
  override readonly name = 'OtlpError'
  readonly isMissing: boolean

  constructor(message: string, isMissing: boolean) {
    super(message)
    this.isMissing = isMissing
  }
}

export interface OtlpIdentity {
  readonly node: string
  readonly version: string
  readonly env: Readonly<Record<string, string | undefined>>
}

type ResourcesPackage = Pick<typeof Resources, 'detectResources' | 'envDetector' | 'resourceFromAttributes'>
type Exporter = Pick<OTLPTraceExporter, 'export' | 'shutdown'>
type ReadableSpan = Parameters<Exporter['export']>[0][number]
type ReadableDraft = { -readonly [Name in keyof ReadableSpan]: ReadableSpan[Name] }

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
  const resource = resourceOf(identity, resources as ResourcesPackage)
  const readable = readableBy(resource)
  const encodes = protocol !== 'http/json' && hasTakenEncoder(exporter, resource)
  return {
    send: (spans, done) => exporter.export(encodes ? spans as unknown as ReadableSpan[] : spans.map(readable), ({ code, error }) => {
      done((code as number) === SUCCESS ? null : new Error(reasonOf(error), { cause: error }))
    }),
    shutdown: () => {
      exporter.shutdown().catch(() => {})
    },
  }
}

/** What the exporters of both protobuf protocols have inside, as far as it is used here. Not theirs to promise: looked at before. */
interface Delegating {
  readonly _delegate?: { _serializer?: Serializer | undefined }
}
interface Serializer {
  readonly serializeRequest: (spans: readonly FinishedSpan[]) => Uint8Array
  readonly deserializeResponse: (bytes: Uint8Array) => unknown
}

/** True: it is to be given spans as they are. */
const hasTakenEncoder = (exporter: object, { attributes, schemaUrl }: Resource): boolean => {
  const delegate = (exporter as Delegating)._delegate
  const theirs = delegate?._serializer
  const isPlain = schemaUrl === undefined && Object.values(attributes).every((value) => typeof value === 'string')
  if (delegate === undefined || !isPlain) return false
  if (typeof theirs?.serializeRequest !== 'function' || typeof theirs.deserializeResponse !== 'function') return false
  delegate._serializer = {
    serializeRequest: createSpanEncoder(attributes as Readonly<Record<string, string>>, scope.name),
    deserializeResponse: (bytes) => theirs.deserializeResponse(bytes),
  }
  return true
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
    const both = [...new Set([name, RESOURCES])].join(' ')
    throw new OtlpError(isMissing
      ? `an OTLP endpoint is configured and the package ${name} is not installed: npm install ${both}, or configure none`
      : `the package ${name} can not be loaded: ${message ?? String(error)}`, isMissing)
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

/**
 * Field by field, and made anew for each export: objects that are kept and filled again are no longer young, and V8 has to look through all
 * of them for the young texts that they were given.
 */
const readableBy = (resource: Resource) => (span: FinishedSpan): ReadableSpan => {
  const { name, kind, traceId, spanId, flags, parentId, isParentRemote, startMs, endMs, attributes, links, isFailed } = span
  const spanContext = { traceId, spanId, traceFlags: flags, isRemote: false }
  const readable: ReadableDraft = {
    name, kind: kinds[kind], spanContext: () => spanContext,
    startTime: timeOf(startMs), endTime: timeOf(endMs), duration: timeOf(endMs - startMs), ended: true,
    status: isFailed ? failed : unset,
    attributes, links: links.length === 0 ? unlinked : links.map(linkTo), events: eventless,
    resource, instrumentationScope: scope,
    droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0,
  }
  if (parentId !== '') readable.parentSpanContext = { traceId, spanId: parentId, traceFlags: flags, isRemote: isParentRemote }
  return readable
}

const unlinked: ReadableSpan['links'] = []
const eventless: ReadableSpan['events'] = []

const linkTo = ({ traceId, spanId, flags }: TraceContext): ReadableSpan['links'][number] =>
  ({ context: { traceId, spanId, traceFlags: flags, isRemote: false } })

const timeOf = (ms: number): [number, number] => {
  const seconds = Math.floor(ms / MS_PER_SECOND)
  return [seconds, Math.min(999_999_999, Math.round((ms - seconds * MS_PER_SECOND) * NANOS_PER_MS))]
}
