/** A terminal, a broker and a one-node store for tests of the command line: all in memory, on the real clock unless said otherwise. */

import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { runCli } from '../../cli/program.ts'
import { createLocalFiles } from '../../storage/localFiles.ts'
import type { Bus, Headers, Inbound, RequestFailure } from '../../bus/port.ts'
import type { CliIo } from '../../cli/io.ts'
import type { NodeReport } from '../../topology/report.ts'

export interface FakeRequest {
  readonly subject: string
  readonly data: Uint8Array
  readonly headers: Headers
}

export type FakeAnswer = RequestFailure | {
  readonly status: string
  readonly value?: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

export interface FakeCluster {
  readonly bus: Bus
  readonly requests: FakeRequest[]
  isClosed: boolean
}

/** `answer` decides each request; `reports` answer `kv.status`. */
export const fakeCluster = (
  answer: (request: FakeRequest) => FakeAnswer, reports: readonly (NodeReport | string)[] = [],
): FakeCluster => {
  const requests: FakeRequest[] = []
  const handlers = new Map<string, (message: Inbound) => void>()
  const encode = (value: string | Uint8Array): Uint8Array => (typeof value === 'string' ? new TextEncoder().encode(value) : value)
  const cluster: FakeCluster = {
    requests,
    isClosed: false,
    bus: {
      publish: (_subject, _data, options) => {
        for (const report of reports) {
          const data = encode(typeof report === 'string' ? report : JSON.stringify(report))
          setImmediate(() => handlers.get(options?.reply ?? '')?.({ subject: options?.reply ?? '', reply: '', data }))
        }
        return 'sent'
      },
      subscribe: (subject, handler) => {
        handlers.set(subject, handler)
        return {
          unsubscribe: () => { handlers.delete(subject) },
          drain: (done) => {
            handlers.delete(subject)
            setImmediate(done)
          },
        }
      },
      request: (subject, data, options, done) => {
        const request = { subject, data: Uint8Array.from(data), headers: options.headers ?? new Map() }
        requests.push(request)
        const result = answer(request)
        setImmediate(() => {
          if (typeof result === 'string') done(result, null)
          else {
            const headers = new Map(Object.entries({ 'Kv-Status': result.status, ...result.headers }))
            done(null, { subject: '_INBOX.x', reply: '', data: encode(result.value ?? ''), headers })
          }
        })
      },
      flush: (done) => setImmediate(() => done(null)),
      drain: (done) => setImmediate(done),
      close: () => { cluster.isClosed = true },
      status: () => ({ connected: true, outstandingBytes: 0, outstandingBytesMax: 1, maxPayloadBytes: 1_048_576,
        server: { url: 'nats://fake', version: '2.12.7' } }),
      onEvent: () => {},
    },
  }
  return cluster
}

/** A store that keeps what it is given, with revisions and request ids; wrap it to make it fail now and then. */
export const fakeStore = () => {
  const values = new Map<string, Uint8Array>()
  const seen = new Map<string, number>()
  let revision = 0
  const writes: string[] = []
  return {
    values,
    /** Every applied write, in order: a key that is there twice was written twice. */
    writes,
    answer: (request: FakeRequest): FakeAnswer => {
      const [, op, ...tokens] = request.subject.split('.')
      const key = tokens.join('.')
      if (op === 'get') {
        const value = values.get(key)
        return value === undefined ? { status: 'NOT_FOUND' } : { status: 'OK', value, headers: { 'Kv-Revision': '1' } }
      }
      const id = request.headers.get('Kv-Request-Id') ?? ''
      const known = seen.get(id)
      if (known !== undefined) return { status: 'OK', headers: { 'Kv-Revision': String(known) } }
      revision += 1
      if (id !== '') seen.set(id, revision)
      values.set(key, request.data)
      writes.push(key)
      return { status: 'OK', headers: { 'Kv-Revision': String(revision), 'Kv-Shard': '3' } }
    },
  }
}

export interface CliRun {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface FakeTerminal {
  readonly io: CliIo
  readonly run: (...args: string[]) => Promise<CliRun>
  /** Ctrl-C. */
  readonly interrupt: () => void
  /** SIGTERM or SIGHUP: resolves where the process would end. */
  readonly kill: () => Promise<void>
}

export const fakeTerminal = (cluster: FakeCluster | null, overrides: Partial<CliIo> = {}): FakeTerminal => {
  let out = Buffer.alloc(0)
  let err = ''
  let ids = 0
  let count = 0
  const handlers = new Set<(count: number) => void>()
  const last = new Set<() => Promise<void>>()
  const io: CliIo = {
    env: {},
    print: async (data) => { out = Buffer.concat([out, Buffer.from(data)]) },
    say: (text) => { err += text },
    isOutputTty: false,
    endsValues: false,
    isErrorTty: false,
    isInputTty: false,
    terminal: null,
    openPrompt: () => ({ ask: async () => null, close: () => {} }),
    readInput: async () => new TextEncoder().encode('from input'),
    connect: async () => {
      if (cluster === null) throw new Error('CONNECTION_REFUSED')
      return cluster.bus
    },
    http: async () => { throw new Error('no node in this test') },
    clock: createSystemClock(),
    newId: () => {
      ids += 1
      return ids.toString(16).padStart(16, '0')
    },
    files: createLocalFiles(),
    onInterrupt: (handler) => {
      handlers.add(handler)
      return () => { handlers.delete(handler) }
    },
    beforeKilled: (work) => {
      last.add(work)
      return () => { last.delete(work) }
    },
    version: async () => '1.2.3',
    hostName: () => 'web1.example.org',
    readGenesis: async () => ({ kind: 'none' }),
    startLocalCluster: async () => ({ problem: 'no cluster in this test' }),
    createCluster: async () => ({ record: undefined, problem: 'no cluster in this test' }),
    runNode: async () => 0,
    runBench: async () => {},
    ...overrides,
  }
  return {
    io,
    interrupt: () => {
      count += 1
      for (const handler of handlers) handler(count)
    },
    kill: async () => {
      for (const work of last) await work()
    },
    run: async (...args) => {
      out = Buffer.alloc(0)
      err = ''
      const code = await runCli(args, io)
      return { code, out: out.toString(), err }
    },
  }
}
