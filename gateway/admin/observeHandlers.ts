/** What the admin API shows of the actors. */

import { randomBytes } from 'node:crypto'
import { SAMPLED } from '../../actors/kernel/trace.ts'
import { tokensOfKey } from '../../bus/keys.ts'
import { displayKey } from '../../observe/recorder/keyText.ts'
import { isBreach, isGap } from '../../observe/recorder/gaps.ts'
import { PROBE_KEY } from '../../observe/recorder/observation.ts'
import { headLine, recordLine } from '../../observe/recorder/recording.ts'
import { eventStream } from './eventStream.ts'
import { observeRoutes } from './observeRoutes.ts'
import { ProblemError } from './problems.ts'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { ActorRecord } from '../../observe/recorder/record.ts'
import type { ClusterRecording, Observation } from '../../observe/recorder/observation.ts'

/** Answers while the node runs; throws a problem while it starts. */
export type ObservationSource = () => Observation

/** Fetched at a time, journeys too: each holds a page of every node, which holds the loop of that node while it is made. */
const RECORDINGS_MAX = 4
/** Lines of one chunk. */
const CHUNK_LINES = 500
/** Of one request. */
const JOURNEY_RECORDS_MAX = 5_000

const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8

export const addObservation = (app: OpenAPIHono, observation: ObservationSource): void => {
  let recordings = 0
  /** To be called when it has been fetched. */
  const beginRecording = (): (() => void) => {
    if (recordings >= RECORDINGS_MAX) {
      throw new ProblemError('overloaded', `${RECORDINGS_MAX} recordings or journeys are being fetched: try again later`)
    }
    recordings += 1
    return once(() => { recordings -= 1 })
  }

  // HEAD runs the handler of GET, and nobody reads or cancels the body: what it has opened would stay open.
  for (const path of [observeRoutes.feed.path, observeRoutes.recording.path]) {
    app.use(path, async (c, next) => {
      if (c.req.raw.method === 'HEAD') throw new ProblemError('methodNotAllowed', `${path} is a stream: use GET`)
      await next()
    })
  }

  app.openapi(observeRoutes.actors, async (c) => {
    const { nodes, missing } = await observation().actors()
    const plain = nodes.map(({ node, at, actors, operations, shortened }) => ({
      node, at, actors: actors.map(({ counters, ...actor }) => ({ ...actor, counters: { ...counters } })),
      operations: operations.map(({ op, micros }) => ({ op, micros: [...micros] })),
      ...(shortened === undefined ? {} : { shortened }),
    }))
    return c.json({ nodes: plain, missing: [...missing] }, 200)
  })
  app.openapi(observeRoutes.feed, (c) => {
    const { node, actor, kind, shard, trace, detail } = c.req.valid('query')
    const watcher = observation().watch({ nodes: node, actors: actor, kinds: kind, shard, trace, detail: detail === '1' })
    if (watcher === null) throw new ProblemError('overloaded', 'this node has as many watchers as it takes: close one, or ask another node')
    return streamed(eventStream(watcher), 'text/event-stream')
  })
  app.openapi(observeRoutes.requests, async (c) => {
    const { order, failed, key, limit } = c.req.valid('query')
    const wish = { order, isFailed: failed === '1', key: key === undefined ? '' : displayKey(binaryOf(key)), limit }
    const { requests, missing } = await observation().requests(wish)
    return c.json({ requests: [...requests], missing: [...missing] }, 200)
  })
  app.openapi(observeRoutes.request, async (c) => {
    const { trace } = c.req.valid('param')
    const source = observation()
    const end = beginRecording()
    try {
      const { records, missing } = await source.recording({ from: 0, to: Number.MAX_SAFE_INTEGER, trace })
      const found = await firstOf(records, JOURNEY_RECORDS_MAX)
      const silent = found.filter(isBreach).map(({ node }) => node)
      return c.json({ trace, records: found.filter((one) => !isGap(one)), missing: [...missing, ...silent] }, 200)
    } finally {
      end()
    }
  })
  app.openapi(observeRoutes.probe, async (c) => {
    const { key } = c.req.valid('json')
    const wanted = key === undefined ? PROBE_KEY : binaryOf(key)
    const named = tokensOfKey(wanted)
    if (!named.ok) throw new ProblemError('invalid', named.reason)
    const trace: string[] = []
    for (const op of key === undefined ? ['put', 'get'] as const : ['get'] as const) {
      const traceId = randomBytes(TRACE_ID_BYTES).toString('hex')
      trace.push(traceId)
      const spanId = randomBytes(SPAN_ID_BYTES).toString('hex')
      const context = { traceId, spanId, flags: SAMPLED }
      await observation().probe({ op, key: wanted, hashToken: named.hashToken, trace: context })
    }
    return c.json({ trace }, 200)
  })
  app.openapi(observeRoutes.recording, async (c) => {
    const { from, to, trace = '', kind } = c.req.valid('query')
    const source = observation()
    const end = beginRecording()
    try {
      const recording = await source.recording({ from: from ?? 0, to: to ?? Number.MAX_SAFE_INTEGER, trace, kinds: kind })
      // The library takes every type that ends in "json" for one JSON document of a known shape.
      return streamed(fileOf(recording, { from: from ?? null, to: to ?? null }, end), 'application/x-ndjson') as never
    } catch (error) {
      end()
      throw error
    }
  })
}

/** Keys are bytes: what people type is UTF-8. */
const binaryOf = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

const firstOf = async (records: AsyncIterable<ActorRecord>, countMax: number) => {
  const first = []
  for await (const { detail, ...record } of records) {
    first.push(detail === undefined ? record : { ...record, detail: { ...detail } })
    if (first.length === countMax) break
  }
  return first
}

const streamed = (body: ReadableStream<Uint8Array>, type: string): Response =>
  new Response(body, { status: 200, headers: { 'content-type': type, 'cache-control': 'no-store', 'x-accel-buffering': 'no' } })

const once = (action: () => void): (() => void) => {
  let isDone = false
  return () => {
    if (!isDone) action()
    isDone = true
  }
}

interface Range {
  readonly from: number | null
  readonly to: number | null
}

/** Read as fast as it is taken: nothing piles up here. */
const fileOf = (recording: ClusterRecording, range: Range, end: () => void): ReadableStream<Uint8Array> => {
  const { cluster, madeAt, nodes, missing, records } = recording
  const encoder = new TextEncoder()
  const iterator = records[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode(headLine({ cluster, madeAt, nodes, missing, ...range }))),
    pull: async (controller) => {
      const { text, isLast } = await linesOf(iterator).catch((error: unknown) => {
        // Nobody cancels a stream that has failed.
        end()
        throw error
      })
      if (text !== '') controller.enqueue(encoder.encode(text))
      if (!isLast) return
      controller.close()
      end()
    },
    cancel: end,
  })
}

const linesOf = async (records: AsyncIterator<ActorRecord>): Promise<{ readonly text: string; readonly isLast: boolean }> => {
  let text = ''
  for (let lines = 0; lines < CHUNK_LINES; lines += 1) {
    const next = await records.next()
    if (next.done === true) return { text, isLast: true }
    text += recordLine(next.value)
  }
  return { text, isLast: false }
}
