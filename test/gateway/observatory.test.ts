/** The page behind a node's port: what is on the list and nothing else, with the headers that keep strangers out of it. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { request } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { serveHealth } from '../../gateway/health.ts'
import { createPageListener, readPageAssets } from '../../gateway/observatory.ts'
import type { IncomingHttpHeaders } from 'node:http'

const texts: Readonly<Record<string, string>> = {
  '/page/assets.json': JSON.stringify([
    { path: '/', file: 'index.html', type: 'text/html; charset=utf-8', isKept: false },
    { path: '/observatory/a-1.js', file: 'a-1.js', type: 'text/javascript; charset=utf-8', isKept: true },
  ]),
  '/page/index.html': '<!doctype html>',
  '/page/a-1.js': 'start()',
  '/page/secret': 'not on the list',
}
const files = { readText: (path: string) => Promise.resolve(texts[path] ?? null) }

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

let port = 0
let close = (): void => {}

beforeAll(async () => {
  const page = createPageListener({ assets: await readPageAssets(files, '/page/'), isTokenSet: false })
  await new Promise<void>((resolve) => {
    const options = { host: '127.0.0.1', port: 0, readiness: () => ({ ready: true, waitingFor: [], warnings: [] }), page }
    const server = serveHealth(options, (_error, given) => {
      port = given
      resolve()
    })
    close = server.close
  })
})
afterAll(() => close())

/** As given: fetch would tidy the path. */
const ask = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> => new Promise((resolve, reject) => {
  request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
    const parts: Buffer[] = []
    response.on('data', (part: Buffer) => { parts.push(part) })
    response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }))
  }).on('error', reject).end()
})

describe('the Observatory\'s assets', () => {
  test('the page is asked for anew and may run nothing but its own scripts', async () => {
    const { status, headers, body } = await ask('/?x=1')
    expect([status, body.toString()]).toEqual([200, '<!doctype html>'])
    expect(headers['content-type']).toBe('text/html; charset=utf-8')
    expect(headers['cache-control']).toBe('no-cache')
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';.*frame-ancestors 'none'$/)
    expect(headers['content-security-policy']).not.toContain('unsafe')
  })

  test('an asset is kept for ever, and packed for whoever takes it so', async () => {
    const { headers, body } = await ask('/observatory/a-1.js', { 'accept-encoding': 'gzip, br' })
    expect(headers['cache-control']).toContain('immutable')
    expect(gunzipSync(body).toString()).toBe('start()')
  })

  test.each([
    '/secret', '/observatory/../secret', '/observatory/..%2fsecret', '//page/secret', '/observatory/', '/assets.json', '/index.html',
  ])('%s is not on the list', async (path) => { expect((await ask(path)).status).toBe(404) })

  test('another name that leads here is refused, and so is another method', async () => {
    expect((await ask('/', { host: 'evil.example' })).status).toBe(403)
    expect((await ask('/', {}, 'POST')).status).toBe(405)
    expect((await ask('/livez')).status).toBe(200)
  })

  test('nothing was built: there is no page', async () => {
    expect((await readPageAssets({ readText: () => Promise.resolve(null) }, '/page/')).size).toBe(0)
  })
})
