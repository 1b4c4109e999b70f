/** The launcher's hands on the real machine: programs, ports, files, logs. */

import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { EventEmitter } from 'node:events'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createLocalFiles } from '../../../storage/localFiles.ts'
import { createLogTail, parseLine } from '../../../topology/launcher/logTail.ts'
import { createMachineHost, findInPath } from '../../../topology/launcher/machineHost.ts'
import { brokerName, isReady, isTaken } from '../../../topology/launcher/probes.ts'
import { watchSupervisor } from '../../../topology/launcher/supervised.ts'
import type { AddressInfo, Server } from 'node:net'

let folder = ''
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'shardkv-parts-')) })
afterAll(() => { rmSync(folder, { recursive: true }) })

const listening = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return (server.address() as AddressInfo).port
}

describe('the machine', () => {
  const host = createMachineHost({ ...process.env, PATH: `:/nowhere:${process.env['PATH']}` })

  test('runs a program to its end, with both of its outputs', async () => {
    const script = 'console.log("out"); console.error(process.env.EXTRA); process.exit(3)'
    const result = await host.run(process.execPath, ['-e', script], { timeoutMs: 10_000, env: { EXTRA: 'more' } })
    expect(result.code).toBe(3)
    expect(result.output).toContain('out')
    expect(result.output).toContain('more')
  })

  test('a program that does not exist, or does not end, has no exit code', async () => {
    expect((await host.run('/no/such/program', [], { timeoutMs: 1_000 })).code).toBeNull()
    expect((await host.run(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { timeoutMs: 200 })).code).toBeNull()
  })

  test('finds programs in PATH', async () => {
    expect(await findInPath(host, 'sh')).toMatch(/\/sh$/)
    expect(await findInPath(host, 'no-such-program')).toBeUndefined()
    expect(await findInPath({ ...host, env: {} }, 'sh')).toBeUndefined()
  })

  test('downloads with limits', async () => {
    const server = createHttpServer((request, response) => {
      if (request.url === '/missing') response.writeHead(404)
      if (request.url !== '/hang') response.end('0123456789')
    })
    const url = `http://127.0.0.1:${await listening(server)}`
    const limits = { timeoutMs: 5_000, bytesMax: 10 }
    expect(Buffer.from(await host.download(`${url}/x`, limits)).toString()).toBe('0123456789')
    await expect(host.download(`${url}/missing`, limits)).rejects.toThrow('404')
    await expect(host.download(`${url}/x`, { ...limits, bytesMax: 9 })).rejects.toThrow('longer than 9')
    await expect(host.download(`${url}/hang`, { ...limits, timeoutMs: 100 })).rejects.toThrow()
    server.closeAllConnections()
    server.close()
  })
})

describe('probes', () => {
  test('a port is taken while somebody listens there', async () => {
    const server = createServer()
    const port = await listening(server)
    expect(await isTaken('127.0.0.1', port)).toBe(true)
    await new Promise((resolve) => { server.close(resolve) })
    expect(await isTaken('127.0.0.1', port)).toBe(false)
  })

  test('a node is ready when /readyz says 200, and only then', async () => {
    let status = 503
    const server = createHttpServer((request, response) => { response.writeHead(request.url === '/readyz' ? status : 404).end('{}') })
    const port = await listening(server)
    expect(await isReady('127.0.0.1', port)).toBe(false)
    status = 200
    expect(await isReady('127.0.0.1', port)).toBe(true)
    server.closeAllConnections()
    await new Promise((resolve) => { server.close(resolve) })
    expect(await isReady('127.0.0.1', port)).toBe(false)
  })
})

describe('a broker\'s greeting', () => {
  const greeted = async (greeting: string): Promise<string | null> => {
    const server = createServer((socket) => socket.on('error', () => {}).end(greeting))
    const name = await brokerName('127.0.0.1', await listening(server))
    server.close()
    return name
  }

  test('tells which one it is', async () => {
    expect(await greeted('INFO {"server_id":"NX","server_name":"mine","port":4222} \r\nPING\r\n')).toBe('mine')
  })

  test('of anything else is none', async () => {
    const others = ['', 'HTTP/1.1 400 Bad Request\r\n', 'INFO {"server_name":\r\n', 'INFO {"server_id":"NX"}\r\n', 'x'.repeat(100_000)]
    for (const other of others) expect(await greeted(other)).toBeNull()
    expect(await brokerName('127.0.0.1', 1)).toBeNull()
  })
})

describe('a log\'s lines', () => {
  const cases: readonly (readonly [string, string, ReturnType<typeof parseLine>])[] = [
    ['pino info', '{"level":30,"msg":"up"}', { level: 'info', text: 'up' }],
    ['pino warning', '{"level":40,"msg":"slow"}', { level: 'warn', text: 'slow' }],
    ['pino error with its cause', '{"level":50,"msg":"can not start","err":{"message":"no disk"}}',
      { level: 'error', text: 'can not start: no disk' }],
    ['pino error with a reason it tells already', '{"level":60,"msg":"ended: x","reason":"x"}', { level: 'error', text: 'ended: x' }],
    ['an empty object', '{}', { level: 'info', text: '' }],
    ['broken JSON', '{"level":', { level: 'info', text: '{"level":' }],
    ['nats-server info', '[7] 2026/01/01 00:00:00.1 [INF] Server is ready', { level: 'info', text: 'Server is ready' }],
    ['nats-server warning', '[7] 2026/01/01 [WRN] hm', { level: 'warn', text: 'hm' }],
    ['nats-server failure', '[7] 2026/01/01 [FTL] Error listening', { level: 'error', text: 'Error listening' }],
    ['nats-server before its log', 'nats-server: no such file', { level: 'error', text: 'nats-server: no such file' }],
    ['a crash of Node', 'TypeError: x is undefined', { level: 'error', text: 'TypeError: x is undefined' }],
    ['a line of a stack', '    at main (x.js:1:1)', { level: 'info', text: 'at main (x.js:1:1)' }],
  ]
  for (const [name, line, expected] of cases) test(name, () => { expect(parseLine(line)).toEqual(expected) })

  test('come out once, whole, and from the restart on', async () => {
    const path = join(folder, 'n1.log')
    const tail = createLogTail(createLocalFiles(), path)
    writeFileSync(path, 'old\n')
    expect(await tail.read()).toEqual([])
    await tail.restart()
    appendFileSync(path, '{"level":50,"msg":"bä')
    expect(await tail.read()).toEqual([])
    appendFileSync(path, 'd"}\n\nnext\n')
    const twice = await Promise.all([tail.read(), tail.read()])
    expect(twice.flat().map(({ text }) => text)).toEqual(['bäd', 'next'])
    expect(tail.lastReason()).toBe('bäd')
    await tail.restart()
    expect(tail.lastReason()).toBe('')
  })
})

test('a log that can not be read has no lines, and is followed once it can', async () => {
  const path = join(folder, 'file', 'n1.log')
  const tail = createLogTail(createLocalFiles(), path)
  writeFileSync(join(folder, 'file'), 'in place of the folder')
  await tail.restart()
  expect([await tail.read(), tail.lastReason()]).toEqual([[], ''])
  rmSync(join(folder, 'file'))
  await tail.restart()
  mkdirSync(join(folder, 'file'))
  writeFileSync(path, '{"level":50,"msg":"bad"}\n')
  expect(await tail.read()).toEqual([{ level: 'error', text: 'bad' }])
  rmSync(join(folder, 'file'), { recursive: true })
  writeFileSync(join(folder, 'file'), '')
  expect([await tail.read(), tail.lastReason()]).toEqual([[], 'bad'])
})

describe('a supervised node', () => {
  test('drains once when its standard input ends, however often that is said', () => {
    const input = Object.assign(new EventEmitter(), { resume: () => {} })
    let drains = 0
    watchSupervisor({ SHARDKV_SUPERVISED: '1' }, input, () => { drains += 1 })
    input.emit('end')
    input.emit('close')
    expect(drains).toBe(1)
  })

  test('that was started by hand does not look at it', () => {
    const input = Object.assign(new EventEmitter(), { resume: () => { throw new Error('must not read') } })
    watchSupervisor({}, input, () => { throw new Error('must not drain') })
    input.emit('end')
    expect(input.listenerCount('end')).toBe(0)
  })
})
