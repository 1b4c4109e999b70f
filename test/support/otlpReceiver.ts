/**
 * An OTLP receiver of the test's own, by gRPC and HTTP, that decodes with the published protocol definitions: nothing of it is the code
 * that it is to judge.
 */

import { createServer } from 'node:http'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import protos from 'otlp-protos/build/src/generated/root.js'
import type { IncomingMessage } from 'node:http'
import type { ServiceDefinition } from '@grpc/grpc-js'

export interface ReceivedSpan {
  readonly via: 'grpc' | 'http/protobuf' | 'http/json'
  readonly node: string
  readonly service: string
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  /** Empty: a root. */
  readonly parentSpanId: string
  readonly startNs: bigint
  readonly endNs: bigint
  readonly attributes: Readonly<Record<string, string>>
  /** The spans that it has links to. */
  readonly links: readonly string[]
  readonly isError: boolean
}

export interface OtlpReceiver {
  readonly grpc: string
  readonly http: string
  readonly spans: readonly ReceivedSpan[]
  /** Of each export, in how many scopes its spans came. */
  readonly scopes: readonly number[]
  /** Everything that came, as text, for what must never be in it. */
  readonly text: () => string
  readonly close: () => Promise<void>
}

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: number | string }
}

/** As both encodings are read: ids are hex in JSON, and made hex of bytes. */
interface Exported {
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeSpans: readonly { readonly spans: readonly Omit<ExportedSpan, 'via'>[] }[]
  }[]
}

interface ExportedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes?: readonly Attribute[]
  readonly links?: readonly { readonly spanId: string }[]
  readonly status?: { readonly code?: number }
}

interface ProtoType {
  readonly decode: (bytes: Uint8Array) => object
  readonly encode: (message: object) => { readonly finish: () => Uint8Array }
  readonly toObject: (message: object, options: object) => Exported
}

const { ExportTraceServiceRequest: Request, ExportTraceServiceResponse: Response } =
  (protos as unknown as { opentelemetry: { proto: { collector: { trace: { v1: Readonly<Record<string, ProtoType>> } } } } })
    .opentelemetry.proto.collector.trace.v1 as Readonly<Record<'ExportTraceServiceRequest' | 'ExportTraceServiceResponse', ProtoType>>

const decode = (bytes: Uint8Array): Exported => {
  const whole = Request.toObject(Request.decode(bytes), { longs: String, bytes: Buffer, defaults: false })
  return JSON.parse(JSON.stringify(whole, (_key, value: unknown) => {
    const isBytes = typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value
    return isBytes ? Buffer.from(value.data as number[]).toString('hex') : value
  })) as Exported
}

const textOf = ({ stringValue, intValue }: Attribute['value']): string => stringValue ?? String(intValue)
const recordOf = (attributes: readonly Attribute[] = []): Readonly<Record<string, string>> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, textOf(value)]))

const spansOf = ({ resourceSpans = [] }: Exported, via: ReceivedSpan['via']): readonly ReceivedSpan[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const { 'service.instance.id': node = '', 'service.name': service = '' } = recordOf(resource.attributes)
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => ({
      via, node, service, name: span.name, traceId: span.traceId, spanId: span.spanId, parentSpanId: span.parentSpanId ?? '',
      startNs: BigInt(span.startTimeUnixNano), endNs: BigInt(span.endTimeUnixNano), attributes: recordOf(span.attributes),
      links: (span.links ?? []).map(({ spanId }) => spanId), isError: span.status?.code === 2,
    })))
  })

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

export const openOtlpReceiver = async (): Promise<OtlpReceiver> => {
  const spans: ReceivedSpan[] = []
  const scopes: number[] = []
  const texts: string[] = []
  const take = (exported: Exported, via: ReceivedSpan['via']): void => {
    texts.push(JSON.stringify(exported))
    spans.push(...spansOf(exported, via))
    scopes.push((exported.resourceSpans ?? []).flatMap(({ scopeSpans }) => scopeSpans).length)
  }
  const web = createServer((request, response) => {
    void (async () => {
      const body = await bodyOf(request)
      const isJson = request.headers['content-type'] === 'application/json'
      if (request.url !== '/v1/traces') throw new Error(`nobody exports to ${request.url}`)
      if (isJson) take(JSON.parse(body.toString()) as Exported, 'http/json')
      else take(decode(body), 'http/protobuf')
      response.writeHead(200, { 'content-type': isJson ? 'application/json' : 'application/x-protobuf' })
      response.end(isJson ? '{}' : Response.encode({}).finish())
    })()
  })
  await new Promise<void>((resolve) => { web.listen(0, '127.0.0.1', resolve) })
  const server = new Server()
  server.addService(service, {
    Export: (call: { readonly request: Exported }, done: (error: null, answer: object) => void) => {
      take(call.request, 'grpc')
      done(null, {})
    },
  })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound)
      else reject(error)
    })
  })
  return {
    grpc: `http://127.0.0.1:${port}`,
    http: `http://127.0.0.1:${(web.address() as { port: number }).port}`,
    spans,
    scopes,
    text: () => texts.join('\n'),
    close: async () => {
      server.forceShutdown()
      web.closeAllConnections()
      await new Promise<void>((resolve) => { web.close(() => resolve()) })
    },
  }
}

const service: ServiceDefinition = {
  Export: {
    path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export', requestStream: false, responseStream: false,
    requestSerialize: (value: object) => Buffer.from(Request.encode(value).finish()), requestDeserialize: decode,
    responseSerialize: (value: object) => Buffer.from(Response.encode(value).finish()),
    responseDeserialize: (bytes) => Response.decode(bytes),
  },
}
