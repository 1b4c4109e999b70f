/** Somebody who watches as the page does: one that stopped watching must not look like one that cost nothing. */

import { createServer } from 'node:http'
import { afterEach, expect, test } from '@jest/globals'
import { watchAsPage } from '../../bench/pageWatcher.ts'
import { until } from '../support/until.ts'
import type { RequestListener } from 'node:http'
import type { PageWatcher } from '../../bench/pageWatcher.ts'
import type { AddressInfo } from 'node:net'

const WAIT_MS_MAX = 60_000
const closes: (() => void)[] = []
afterEach(() => {
  for (const close of closes.splice(0)) close()
})

const serve = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener)
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  closes.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
const isFeed = (url: string | undefined): boolean => url?.startsWith('/v1/feed') === true
const isOver = ({ records: ask }: PageWatcher): boolean => {
  try {
    ask()
    return false
  } catch {
    return true
  }
}
const records = 'event: records\ndata: [{},{}]\n\n'

test('counts records until it is told to stop', async () => {
  const admin = await serve(({ url }, response) => {
    if (isFeed(url)) response.write(records)
    else response.writeHead(url === '/readyz' ? 503 : 200).end('{}')
  })
  const watcher = await watchAsPage(admin, false)
  await until(() => watcher.records() === 2, 'the records', WAIT_MS_MAX)
  await watcher.stop()
})

test('says at its stop that its feed had ended', async () => {
  const admin = await serve(({ url }, response) => {
    if (!isFeed(url)) response.end('{}')
    else response.end(records)
  })
  const watcher = await watchAsPage(admin, true)
  await until(() => isOver(watcher), 'the end of the feed', WAIT_MS_MAX)
  await expect(watcher.stop()).rejects.toThrow(/\/v1\/feed has ended/)
})

test('says at its stop that a question was refused', async () => {
  const admin = await serve(({ url }, response) => {
    if (isFeed(url)) response.write(': here\n\n')
    else response.writeHead(500).end('{}')
  })
  const watcher = await watchAsPage(admin, false)
  await until(() => isOver(watcher), 'the answer', WAIT_MS_MAX)
  await expect(watcher.stop()).rejects.toThrow(/answered 500/)
})
