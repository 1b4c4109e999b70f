/** What platforms ask a node, over its real port: whether it lives, and whether it is ready, under both names that they know for that. */

import { afterEach, expect, test } from '@jest/globals'
import { serveHealth } from '../../gateway/health.ts'
import type { Readiness } from '../../gateway/health.ts'

const closers: (() => void)[] = []
afterEach(() => { for (const close of closers.splice(0)) close() })

const serve = (readiness: Readiness): Promise<string> => new Promise((resolve, reject) => {
  const { close } = serveHealth({ host: '127.0.0.1', port: 0, readiness: () => readiness }, (error, port) => {
    if (error === null) resolve(`http://127.0.0.1:${port}`)
    else reject(error)
  })
  closers.push(close)
})

test.each(['/readyz', '/healthz'])('%s is 200 with its warnings when the node is ready', async (path) => {
  const ready = { ready: true, waitingFor: [], warnings: ['shard 3 is suspect'] }
  const answer = await fetch(`${await serve(ready)}${path}`)
  expect([answer.status, await answer.json()]).toEqual([200, ready])
})

test.each(['/readyz', '/healthz'])('%s is 503 and says what is waited for when it is not', async (path) => {
  const waiting = { ready: false, waitingFor: ['the broker'], warnings: [] }
  const answer = await fetch(`${await serve(waiting)}${path}?verbose`)
  expect([answer.status, await answer.json()]).toEqual([503, waiting])
})

test('/livez is 200 also while the node is not ready; nothing else is there, and nothing is to be posted', async () => {
  const base = await serve({ ready: false, waitingFor: ['the broker'], warnings: [] })
  expect((await fetch(`${base}/livez`)).status).toBe(200)
  expect((await fetch(`${base}/healthy`)).status).toBe(404)
  expect((await fetch(`${base}/healthz`, { method: 'POST' })).status).toBe(405)
})
