/** Who may read a node's metrics, in which format, over its real port. */

import { afterEach, describe, expect, test } from '@jest/globals'
import { request } from 'node:http'
import { must } from '../../actors/kernel/assert.ts'
import { serveHealth } from '../../gateway/health.ts'
import { createMetricsListener } from '../../gateway/metrics.ts'
import type { MetricsOptions } from '../../gateway/metrics.ts'

const ADMIN = 'the-admin-token-of-this-test'
const SCRAPER = 'the-scraper-token-of-this-test'
const closers: (() => void)[] = []
afterEach(() => { for (const close of closers.splice(0)) close() })

const serve = (over: Partial<MetricsOptions> = {}): Promise<number> => new Promise((resolve, reject) => {
  const made = createMetricsListener({
    host: '127.0.0.1', adminToken: null, metricsToken: null, onFailure: () => {},
    render: (isOpenMetrics) => Promise.resolve({ contentType: isOpenMetrics ? 'open' : 'text', text: 'up 1\n' }), ...over,
  })
  const server = serveHealth({
    host: '127.0.0.1', port: 0, readiness: () => ({ ready: true, waitingFor: [], warnings: [] }),
    ...('listener' in made ? { metrics: made.listener } : {}),
  }, (error, port) => (error === null ? resolve(port) : reject(error)))
  closers.push(server.close)
})

const get = (port: number, headers: Record<string, string> = {}) =>
  new Promise<{ status: number; type: string; body: string }>((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/metrics', headers }, (response) => {
      let body = ''
      response.on('data', (chunk) => { body += String(chunk) })
      const type = response.headers['content-type'] ?? ''
      response.on('end', () => resolve({ status: must(response.statusCode, 'a status'), type, body }))
    }).on('error', reject).end()
  })

describe('/metrics', () => {
  test('is open to this machine on loopback, and to no page of a browser', async () => {
    const port = await serve()
    expect(await get(port)).toEqual({ status: 200, type: 'text', body: 'up 1\n' })
    expect((await get(port, { host: 'evil.example' })).status).toBe(403)
    expect((await get(port, { origin: 'http://evil.example' })).status).toBe(403)
  })

  test('is OpenMetrics for who accepts it', async () => {
    const port = await serve()
    expect((await get(port, { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' })).type).toBe('open')
    expect((await get(port, { accept: 'text/plain' })).type).toBe('text')
  })

  test('takes the admin token or its own, and nothing else', async () => {
    const port = await serve({ host: '0.0.0.0', adminToken: ADMIN, metricsToken: SCRAPER })
    for (const token of [ADMIN, SCRAPER]) expect((await get(port, { authorization: `Bearer ${token}` })).status).toBe(200)
    expect((await get(port)).status).toBe(401)
    expect((await get(port, { authorization: 'Bearer wrong-but-long-enough' })).status).toBe(401)
  })

  test('is there for its own token where the admin token is set to nothing, which opens nothing', async () => {
    const port = await serve({ host: '0.0.0.0', adminToken: '', metricsToken: SCRAPER })
    expect((await get(port, { authorization: `Bearer ${SCRAPER}` })).status).toBe(200)
    for (const headers of [{}, { authorization: 'Bearer ' }]) expect((await get(port, headers)).status).toBe(401)
    expect(createMetricsListener({
      host: '0.0.0.0', adminToken: '', metricsToken: '', onFailure: () => {}, render: () => Promise.reject(new Error('never')),
    })).toEqual({ withheld: expect.stringContaining('SHARDKV_METRICS_TOKEN') })
  })

  test('is withheld elsewhere without a token, and with one that can be guessed', async () => {
    const made = (over: Partial<MetricsOptions>) => createMetricsListener({
      host: '0.0.0.0', adminToken: null, metricsToken: null, onFailure: () => {}, render: () => Promise.reject(new Error('never')), ...over,
    })
    expect(made({})).toEqual({ withheld: expect.stringContaining('SHARDKV_METRICS_TOKEN') })
    expect(made({ metricsToken: 'short' })).toEqual({ withheld: expect.stringContaining('guessed') })
    expect((await get(await serve({ host: '0.0.0.0' }))).status).toBe(404)
  })

  test('says no more than that there is a bug when it fails, and the node hears which', async () => {
    const heard: unknown[] = []
    const port = await serve({ render: () => Promise.reject(new Error('secret detail')), onFailure: (error) => heard.push(error) })
    const { status, body } = await get(port)
    expect([status, body.includes('secret')]).toEqual([500, false])
    expect(heard).toEqual([expect.objectContaining({ message: 'secret detail' })])
  })
})
