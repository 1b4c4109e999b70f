/** Ports for what a test or a bench starts (bench/targets/freePorts.ts): nobody else's, now or while it runs. */

import { createServer } from 'node:net'
import { expect, test } from '@jest/globals'
import { freePort, freePortRow, freePorts } from '../../bench/targets/freePorts.ts'
import type { Server } from 'node:net'

const listenOn = (port: number): Promise<Server> => new Promise((resolve, reject) => {
  const server = createServer().once('error', reject)
  server.listen(port, '127.0.0.1', () => resolve(server))
})

test('asked for together or one after the other, they are all different', async () => {
  expect(new Set(await freePorts(20)).size).toBe(20)
  const found: number[] = []
  for (let i = 0; i < 200; i += 1) found.push(await freePort())
  expect(new Set(found).size).toBe(200)
})

test('a row of them is below those of connections that go out, and can be listened on', async () => {
  const first = await freePortRow(17)
  expect([first >= 20_000, first + 17 <= 32_000]).toEqual([true, true])
  const servers = await Promise.all(Array.from({ length: 17 }, (_, i) => listenOn(first + i)))
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => { server.close(() => resolve()) })))
})
