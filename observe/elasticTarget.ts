/**
 * The log target `elastic`, in its thread: one bulk request at a time, by the client that pino-elasticsearch brings. That package's own
 * stream ends with the first request that fails, and its thread with it; here lines wait for as long as nobody takes them. The stream
 * asks for no more meanwhile, so the thread fills up, and what is above its limit is lost and counted (logThread.ts).
 *
 *   lines ─▶ batches ─▶ request ── taken ──────────────────────────▶ the next
 *                          ▲ ├──── no answer, 429, 5xx ... ─▶ pause ─┐
 *                          │ ├──── 413: by halves                    │
 *                          │ └──── of a line alone: lost and counted │
 *                          └─────────────────────────────────────────┘
 *
 * A request whose answer is lost is sent again, and its lines may arrive twice.
 */

import { createRequire } from 'node:module'
import { Writable } from 'node:stream'
import { parentPort } from 'node:worker_threads'
import { tellOperator } from './operator.ts'

/** Between two attempts; doubled each time. */
const RETRY_MS_MIN = 1_000
const RETRY_MS_MAX = 60_000
const REQUEST_MS_MAX = 30_000
/** Proxies take a MiB where nobody told them otherwise. */
const BATCH_CHARACTERS_MAX = 524_288
/** Some answer with a page of their own. */
const REASON_CHARACTERS_MAX = 200
const STATUS_TOO_LARGE = 413
const STATUS_TOO_MANY = 429
const STATUS_SERVER_ERROR = 500

/** As pino-elasticsearch calls them. */
export interface ElasticOptions {
  readonly node: string
  /** `%{DATE}` in it is the day of the line. */
  readonly index: string
  /** `create`: for a data stream. */
  readonly opType?: 'create' | 'index'
  /** As pino-elasticsearch still calls it, too. */
  readonly op_type?: 'create' | 'index'
  readonly auth?: object
  readonly cloud?: object
  readonly tls?: object
  readonly rejectUnauthorized?: boolean
  readonly caFingerprint?: string
}

/** Of each document the action that was asked for, and what came of it. */
interface BulkAnswer {
  readonly errors?: boolean
  readonly items?: readonly Readonly<Record<string, BulkItem>>[]
}

interface BulkItem {
  readonly status?: number
  readonly error?: { readonly type?: string; readonly reason?: string }
}

/** Of the client: what is used here. Rejects with an error that has `statusCode` where there was an answer. */
interface ElasticClient {
  readonly bulk: (request: { readonly operations: readonly string[] }) => Promise<BulkAnswer>
  readonly close: () => Promise<void>
}

interface ElasticPackage {
  readonly Client: new (options: object) => ElasticClient
}

const packageOf = createRequire(import.meta.url)
const { Client } = createRequire(packageOf.resolve('pino-elasticsearch'))('@elastic/elasticsearch') as ElasticPackage

/** An action and its document, as they are sent. */
type Entry = readonly [action: string, document: string]

interface Outcome {
  /** To be sent again. */
  readonly again: readonly Entry[]
  /** Will never be taken. */
  readonly refused: number
  readonly reason: string
}

/** Emits `lost` with how many lines nobody will ever take. */
const openElasticTarget = (options: ElasticOptions): Writable => {
  const client = clientOf(options)
  let rest = ''
  let retry: NodeJS.Timeout | undefined
  let retryMs = RETRY_MS_MIN
  let [isAway, isLossTold] = [false, false]

  const lose = (lines: number, reason: string): void => {
    if (lines === 0) return
    if (!isLossTold) tellOperator(`the log target elastic refuses lines, they are lost: ${reason}`)
    isLossTold = true
    stream.emit('lost', lines)
  }
  const pause = (reason: string): Promise<void> => new Promise((over) => {
    if (!isAway) tellOperator(`the log target elastic does not take lines, they wait: ${reason}`)
    isAway = true
    retry = setTimeout(over, retryMs)
    retryMs = Math.min(RETRY_MS_MAX, retryMs * 2)
  })
  const taken = (): void => {
    if (isAway) tellOperator('the log target elastic takes lines again')
    isAway = false
  }
  const deliver = async (batch: readonly Entry[]): Promise<void> => {
    let left = batch
    while (left.length > 0 && !stream.destroyed) {
      const outcome = await attempt(client, left)
      if (outcome === 'too large') {
        const half = Math.ceil(left.length / 2)
        await deliver(left.slice(0, half))
        left = left.slice(half)
        continue
      }
      const { again, refused, reason } = outcome
      lose(refused, reason)
      if (again.length < left.length) retryMs = RETRY_MS_MIN
      if (again.length === 0) taken()
      left = again
      if (left.length > 0) await pause(reason)
    }
  }
  const take = async (text: string, done: () => void): Promise<void> => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    const entries = lines.map((line) => entryOf(line, options))
    const known = entries.filter((entry) => entry !== null)
    lose(entries.length - known.length, 'no JSON')
    for (const batch of batchesOf(known)) await deliver(batch)
    done()
  }
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: string, _, done) => { void take(chunk, done) },
    writev: (chunks, done) => { void take(chunks.map(({ chunk }) => chunk as string).join(''), done) },
    destroy: (error, done) => {
      clearTimeout(retry)
      // It would be waited for until the request that is under way is over.
      void closeQuietly(client)
      done(error)
    },
  })
  return stream
}

const clientOf = ({ node, auth, cloud, tls, rejectUnauthorized, caFingerprint }: ElasticOptions): ElasticClient => new Client({
  node, auth, cloud, tls: { rejectUnauthorized, ...tls }, ...(caFingerprint === undefined ? {} : { caFingerprint }),
  // What is tried again, and when, is decided here.
  maxRetries: 0, requestTimeout: REQUEST_MS_MAX,
})

const closeQuietly = async (client: ElasticClient): Promise<void> => {
  try {
    await client.close()
  } catch {
    // It is of no use to anybody any more.
  }
}

const attempt = async (client: ElasticClient, batch: readonly Entry[]): Promise<Outcome | 'too large'> => {
  try {
    const answer = await client.bulk({ operations: batch.flat() })
    return answer.errors === true ? outcomeOf(batch, answer.items ?? []) : { again: [], refused: 0, reason: '' }
  } catch (error) {
    const { statusCode, message } = error as { readonly statusCode?: number; readonly message: string }
    if (statusCode !== STATUS_TOO_LARGE) return { again: batch, refused: 0, reason: message.slice(0, REASON_CHARACTERS_MAX) }
    return batch.length > 1 ? 'too large' : { again: [], refused: 1, reason: 'a line alone is too large' }
  }
}

/** What an answer does not speak of is sent again. */
const outcomeOf = (batch: readonly Entry[], items: NonNullable<BulkAnswer['items']>): Outcome => {
  const again: Entry[] = []
  let [refused, reason] = [0, '']
  for (const [i, entry] of batch.entries()) {
    const [item] = Object.values(items[i] ?? {})
    const { status = STATUS_TOO_MANY, error } = item ?? {}
    if (error === undefined && item !== undefined) continue
    reason = `${error?.type ?? ''} ${error?.reason ?? ''}`.trim().slice(0, REASON_CHARACTERS_MAX)
    if (status === STATUS_TOO_MANY || status >= STATUS_SERVER_ERROR) again.push(entry)
    else refused += 1
  }
  return { again, refused, reason }
}

/** Elasticsearch takes a time as text where nobody told it otherwise. Null: what is no line of the log. */
const entryOf = (line: string, options: ElasticOptions): Entry | null => {
  const { index, opType = options.op_type ?? 'index' } = options
  try {
    const fields = JSON.parse(line) as Readonly<Record<string, unknown>>
    const time = new Date(fields['time'] as number).toISOString()
    const action = { [opType]: { _index: index.replace('%{DATE}', time.slice(0, '2026-01-01'.length)) } }
    return [JSON.stringify(action), JSON.stringify({ ...fields, time, ...(opType === 'create' ? { '@timestamp': time } : {}) })]
  } catch {
    return null
  }
}

const batchesOf = (entries: readonly Entry[]): readonly (readonly Entry[])[] => {
  const batches: Entry[][] = []
  let characters = Number.POSITIVE_INFINITY
  for (const entry of entries) {
    const [action, document] = entry
    const size = action.length + document.length
    if (characters + size > BATCH_CHARACTERS_MAX) {
      batches.push([])
      characters = 0
    }
    characters += size
    batches.at(-1)?.push(entry)
  }
  return batches
}

/** A worker's entry: pino takes what is exported like this, and its thread passes on what is posted so. */
const open = (options: ElasticOptions): Writable =>
  openElasticTarget(options).on('lost', (lines: number) => { parentPort?.postMessage({ code: 'EVENT', name: 'lost', args: [lines] }) })

export { open as default }
