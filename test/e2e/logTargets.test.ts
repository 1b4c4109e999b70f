/**
 * The log targets that write to somebody else, each with its real package and a receiver that is written here: what arrives is what was
 * logged, the last line before the end included. (`roll` is in test/observe/log.test.ts.)
 */

import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { createServer as createHttp } from 'node:http'
import { createServer as createTcp } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { afterEach, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { builtFile } from '../../chaos/ground/checkout.ts'
import { until } from '../support/until.ts'
import type { AddressInfo, Socket } from 'node:net'

const TEST_MS_MAX = 120_000
const ARRIVES_WITHIN_MS = 60_000
const cleanUps: (() => void)[] = []
afterEach(() => { for (const cleanUp of cleanUps.splice(0)) cleanUp() })

interface Receiver {
  readonly port: number
  readonly text: () => string
}

const tcp = async (address = '127.0.0.1'): Promise<Receiver> => {
  let text = ''
  const server = createTcp((socket) => socket.on('data', (chunk: Buffer) => { text += chunk.toString() }))
  await new Promise<void>((ready) => { server.listen(0, address, ready) })
  cleanUps.push(() => server.close())
  return { port: (server.address() as AddressInfo).port, text: () => text }
}

const udp = async (): Promise<Receiver> => {
  let text = ''
  const socket = createSocket('udp4').on('message', (message) => { text += `${message.toString()}\n` })
  await new Promise<void>((ready) => { socket.bind(0, '127.0.0.1', ready) })
  cleanUps.push(() => socket.close())
  return { port: socket.address().port, text: () => text }
}

/** Answers what the client of Elasticsearch wants to see; the others look at the status alone. */
const http = async (): Promise<Receiver & { readonly paths: () => readonly string[] }> => {
  const paths: string[] = []
  let text = ''
  const server = createHttp((request, response) => {
    paths.push(`${request.method ?? ''} ${request.url?.split('?')[0] ?? ''}`)
    let body = ''
    request.on('data', (chunk: Buffer) => { body += chunk.toString() })
    request.on('end', () => {
      text += body
      const actions = body.split('\n').filter((line) => line.startsWith('{"index"') || line.startsWith('{"create"'))
      const items = actions.map(() => ({ index: { status: 201 } }))
      const type = 'application/vnd.elasticsearch+json; compatible-with=9'
      response.writeHead(200, { 'content-type': type, 'x-elastic-product': 'Elasticsearch' })
      response.end(JSON.stringify({ version: { number: '9.0.0' }, errors: false, items }))
    })
  })
  await new Promise<void>((ready) => { server.listen(0, '127.0.0.1', ready) })
  cleanUps.push(() => { server.closeAllConnections(); server.close() })
  return { port: (server.address() as AddressInfo).port, text: () => text, paths: () => paths }
}

/** Of the process: told to close its log, or by an error that nobody caught. */
type Ending = 'closed' | 'crashed'
const endings: Readonly<Record<Ending, string>> = {
  closed: 'await close(); process.exit(0)',
  crashed: 'setImmediate(() => { throw new Error("a planted crash") })',
}

/** In a process of its own: when it ends it waits for its receiver without hearing anything else. */
const runWith = async (target: string, ending: Ending): Promise<{ readonly code: unknown; readonly said: string }> => {
  const program = `
    import { openProcessLog } from '${builtFile('observe/log.js')}'
    import { createLogLevels } from '${builtFile('observe/logLevels.js')}'
    const { log, close } = await openProcessLog({
      node: 'n7', levels: createLogLevels('info'), targets: ['${target}'], secrets: ['a-secret-token'],
    })
    log.child({ actor: 'raft', shard: 3 }).warn({ term: 7 }, 'the first line')
    log.info({ actor: 'node', note: 'a-secret-token' }, 'the last line')
    ${endings[ending]}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString() })
  const code = await new Promise((ended) => { child.on('close', ended) })
  return { code, said }
}

const logTo = async (target: string, ending: Ending = 'closed'): Promise<void> => {
  const { code, said } = await runWith(target, ending)
  expect([code, said]).toEqual(ending === 'closed' ? [0, ''] : [1, expect.stringContaining('a planted crash')])
}

const expectBoth = async ({ text }: Receiver): Promise<void> => {
  await until(() => text().includes('the first line') && text().includes('the last line'), 'both lines have arrived', ARRIVES_WITHIN_MS)
  expect(text()).not.toContain('a-secret-token')
}

test.each([['tcp', tcp], ['udp', udp]] as const)('syslog over %s: a line each, with the machine and who it is', async (protocol, open) => {
  const receiver = await open()
  await logTo(`syslog:${protocol}://127.0.0.1:${receiver.port}`)
  await expectBoth(receiver)
  // Facility local0; severities warning and informational.
  const lines = receiver.text().trimEnd().split('\n')
  expect(lines.map((line) => /^<(\d+)>1 \S+Z (\S+) (\S+) \d+ - - \{/.exec(line)?.slice(1))).toEqual([
    ['132', hostname(), 'shardkv'], ['134', hostname(), 'shardkv'],
  ])
}, TEST_MS_MAX)

const hasIpv6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === '::1')
const testIpv6 = hasIpv6 ? test : test.skip

testIpv6('syslog over tcp to an address of IPv6, which a URL has in brackets', async () => {
  const receiver = await tcp('::1')
  await logTo(`syslog:tcp://[::1]:${receiver.port}`)
  await expectBoth(receiver)
}, TEST_MS_MAX)

test.each([
  ['syslog over tcp', tcp, 'syslog:tcp:'], ['syslog over udp', udp, 'syslog:udp:'], ['loki', http, 'loki:http:'],
  ['elastic', http, 'elastic:http:'], ['otlp', http, 'otlp:http:'],
] as const)('%s gets the last line of a process that crashes, too', async (_, open, target) => {
  const receiver = await open()
  await logTo(`${target}//127.0.0.1:${receiver.port}`, 'crashed')
  await expectBoth(receiver)
}, TEST_MS_MAX)

/** Longer than the library waits, and shorter than it would wait twice. */
const ENDS_WITHIN_MS = 19_000

test.each(['closed', 'crashed'] as const)('a receiver that never answers is waited for once: %s', async (ending) => {
  const server = createHttp(() => {})
  await new Promise<void>((ready) => { server.listen(0, '127.0.0.1', ready) })
  cleanUps.push(() => { server.closeAllConnections(); server.close() })
  const program = `
    import { openProcessLog } from '${builtFile('observe/log.js')}'
    import { createLogLevels } from '${builtFile('observe/logLevels.js')}'
    const { log, close, fatal } = await openProcessLog({
      node: 'n7', levels: createLogLevels('info'), targets: ['elastic:http://127.0.0.1:${(server.address() as AddressInfo).port}'],
    })
    process.on('uncaughtExceptionMonitor', fatal)
    for (let i = 0; i < 6_000; i += 1) log.error({ actor: 'raft', detail: 'x'.repeat(1_000) }, 'one of many')
    setTimeout(async () => { ${endings[ending]} }, 500)`
  const startedAt = performance.now()
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'ignore' })
  const code = await new Promise((ended) => { child.on('close', ended) })
  expect([code, performance.now() - startedAt < ENDS_WITHIN_MS]).toEqual([ending === 'closed' ? 0 : 1, true])
}, TEST_MS_MAX)

const bothEndings = ['closed', 'crashed'] as const

test.each(bothEndings)('lines that wait for Elasticsearch, which is away, keep no process from ending: %s', async (ending) => {
  const { port } = await http()
  for (const cleanUp of cleanUps.splice(0)) cleanUp()
  const startedAt = performance.now()
  const { code, said } = await runWith(`elastic:http://127.0.0.1:${port}`, ending)
  expect([code, performance.now() - startedAt < ENDS_WITHIN_MS]).toEqual([ending === 'closed' ? 0 : 1, true])
  expect(said).toContain('the log target elastic does not take lines, they wait: connect ECONNREFUSED')
}, TEST_MS_MAX)

const LINES = 30_000

test('more at once than its thread takes costs lines: those that arrive and those that are counted are all there were', async () => {
  const receiver = await tcp()
  const program = `
    import { openProcessLog } from '${builtFile('observe/log.js')}'
    import { createLogLevels } from '${builtFile('observe/logLevels.js')}'
    const { log, close, lost } = await openProcessLog({
      node: 'n7', levels: createLogLevels('info'), targets: ['syslog:tcp://127.0.0.1:${receiver.port}'],
    })
    // Errors are never held back as repetitions.
    for (let i = 0; i < ${LINES}; i += 1) log.error({ actor: 'raft', detail: 'x'.repeat(1_000) }, 'one of many')
    await close()
    console.log(lost())
    process.exit(0)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, said] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString() })
  child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString() })
  const code = await new Promise((ended) => { child.on('close', ended) })
  expect([code, said]).toEqual([0, expect.stringContaining('the log target syslog: lines are lost: it takes them too slowly')])
  const lost = Number(out)
  expect(lost).toBeGreaterThan(LINES / 2)
  const arrived = (): number => receiver.text().split('"one of many"').length - 1
  await until(() => arrived() + lost >= LINES, 'all others have arrived', ARRIVES_WITHIN_MS)
  expect(arrived() + lost).toBe(LINES)
}, TEST_MS_MAX)

/** Over twice what may wait in the process, its thread and the kernel together. They come a few at a time: a thread could take them all. */
const STALLED_LINES = 60_000

test('a syslog receiver that is connected and does not read costs lines, which are counted: nothing holds them without limit', async () => {
  let text = ''
  const sockets: Socket[] = []
  const server = createTcp((socket) => {
    sockets.push(socket.on('data', (chunk: Buffer) => { text += chunk.toString() }))
    socket.pause()
  })
  await new Promise<void>((ready) => { server.listen(0, '127.0.0.1', ready) })
  cleanUps.push(() => { for (const socket of sockets) socket.destroy(); server.close() })
  const program = `
    import { once } from 'node:events'
    import { setTimeout as pause } from 'node:timers/promises'
    import { openProcessLog } from '${builtFile('observe/log.js')}'
    import { createLogLevels } from '${builtFile('observe/logLevels.js')}'
    const { log, close, lost } = await openProcessLog({
      node: 'n7', levels: createLogLevels('info'), targets: ['syslog:tcp://127.0.0.1:${(server.address() as AddressInfo).port}'],
    })
    for (let i = 0; i < ${STALLED_LINES}; i += 1) {
      log.error({ actor: 'raft', detail: 'x'.repeat(1_000) }, 'one of many')
      if (i % 50 === 0) await pause(1)
    }
    console.log(lost())
    await once(process.stdin.resume(), 'end')
    await close()
    console.log(lost())
    process.exit(0)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['pipe', 'pipe', 'ignore'] })
  cleanUps.push(() => child.kill('SIGKILL'))
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString() })
  const ended = new Promise((code) => { child.on('close', code) })
  await until(() => out.includes('\n'), 'all are logged', ARRIVES_WITHIN_MS)
  expect(Number(out)).toBeGreaterThan(STALLED_LINES / 2)

  for (const socket of sockets) socket.resume()
  child.stdin.end()
  expect(await ended).toBe(0)
  const lost = Number(out.trim().split('\n')[1])
  const arrived = (): number => text.split('"one of many"').length - 1
  await until(() => arrived() + lost >= STALLED_LINES, 'all others have arrived', ARRIVES_WITHIN_MS)
  expect(arrived() + lost).toBe(STALLED_LINES)
}, TEST_MS_MAX)

test('a syslog receiver that is away is waited for, and found again when it comes back', async () => {
  const first = await tcp()
  cleanUps.splice(0).forEach((close) => close())
  const program = `
    import { once } from 'node:events'
    import { openProcessLog } from '${builtFile('observe/log.js')}'
    import { createLogLevels } from '${builtFile('observe/logLevels.js')}'
    const { log, close } = await openProcessLog({
      node: 'n7', levels: createLogLevels('info'), targets: ['syslog:tcp://127.0.0.1:${first.port}'],
    })
    for await (const line of process.stdin) log.warn({ actor: 'raft' }, line.toString())
    await close()
    process.exit(0)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['pipe', 'ignore', 'pipe'] })
  cleanUps.push(() => child.kill('SIGKILL'))
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString() })
  const ended = new Promise((code) => { child.on('close', code) })
  child.stdin.write('while nobody listens')
  await until(() => said.includes('the log target syslog can not be reached, lines wait'), 'it is told', ARRIVES_WITHIN_MS)

  let text = ''
  let connected: Socket | null = null
  const server = createTcp((socket) => {
    connected = socket.on('data', (chunk: Buffer) => { text += chunk.toString() }).on('error', () => {})
  })
  await new Promise<void>((ready) => { server.listen(first.port, '127.0.0.1', ready) })
  cleanUps.push(() => server.close())
  await until(() => text.includes('while nobody listens'), 'the line has arrived', ARRIVES_WITHIN_MS)
  await until(() => said.includes('the log target syslog takes lines again'), 'that is told', ARRIVES_WITHIN_MS)
  must(connected as Socket | null, 'a connection').destroy()
  // What is written before the end of a connection is heard of may be lost.
  for (let i = 0; !text.includes('by another connection'); i += 1) {
    child.stdin.write(`by another connection ${i}`)
    await until(() => text.includes('by another connection'), 'a line has arrived', 1_000).catch(() => {})
    expect(i).toBeLessThan(60)
  }
  child.stdin.end()
  expect(await ended).toBe(0)
}, TEST_MS_MAX)

test('loki', async () => {
  const receiver = await http()
  await logTo(`loki:http://127.0.0.1:${receiver.port}`)
  await expectBoth(receiver)
  expect(receiver.paths()).toContain('POST /loki/api/v1/push')
  expect(receiver.text()).toContain('"job":"shardkv"')
}, TEST_MS_MAX)

test('elastic', async () => {
  const receiver = await http()
  await logTo(`elastic:http://127.0.0.1:${receiver.port}`)
  await expectBoth(receiver)
  expect(receiver.paths().some((path) => path.endsWith('/_bulk'))).toBe(true)
  expect(receiver.text()).toContain('"shardkv"')
}, TEST_MS_MAX)

test('otlp', async () => {
  const receiver = await http()
  await logTo(`otlp:http://127.0.0.1:${receiver.port}`)
  await expectBoth(receiver)
  expect(receiver.paths()).toContain('POST /v1/logs')
}, TEST_MS_MAX)
