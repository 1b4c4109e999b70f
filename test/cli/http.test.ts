/** The command line's requests over real connections: how long they take does not matter, silence does. */

import { createServer } from 'node:http'
import { afterEach, expect, test } from '@jest/globals'
import { http } from '../../cli/http.ts'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

const closers: (() => void)[] = []
afterEach(() => { for (const close of closers.splice(0)) close() })

const serve = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener)
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const ask = (url: string, silenceMsMax: number) => http({ url, method: 'GET', headers: {}, silenceMsMax })

test('an answer that takes longer than the limit, and is never silent for as long, is there as a whole', async () => {
  const silenceMsMax = 3_000
  // A letter of two bytes, which come in two pieces.
  const [first, second] = [Buffer.from('ä').subarray(0, 1), Buffer.from('ä').subarray(1)]
  let pieces = 0
  const url = await serve((_request, response) => {
    const beganAt = performance.now()
    response.write(first)
    const timer = setInterval(() => {
      pieces += 1
      response.write(Buffer.concat([second, first]))
      if (performance.now() - beganAt < 1.5 * silenceMsMax) return
      clearInterval(timer)
      response.end(second)
    }, 50)
  })
  const { status, body } = await ask(url, silenceMsMax)
  expect([status, body]).toEqual([200, 'ä'.repeat(pieces + 1)])
})

test('one that falls silent is given up, before its head and behind it', async () => {
  const never = await serve(() => {})
  await expect(ask(never, 100)).rejects.toThrow('nothing came for 0.1 s')
  const begun = await serve((_request, response) => { response.write('a part') })
  await expect(ask(begun, 100)).rejects.toThrow('nothing came for 0.1 s')
})

test('one that breaks off is none', async () => {
  const broken = await serve((_request, response) => {
    response.write('a part')
    setImmediate(() => { response.destroy() })
  })
  await expect(ask(broken, 10_000)).rejects.toThrow()
})
