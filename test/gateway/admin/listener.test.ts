/** The admin API's streams over real connections: what readers that do not read, or that go, leave behind. */

import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { createAdminListener } from '../../../gateway/admin/listener.ts'
import { serveHealth } from '../../../gateway/health.ts'
import { createLogLevels } from '../../../observe/logLevels.ts'
import { until } from '../../support/until.ts'
import type { Socket } from 'node:net'
import type { Observation } from '../../../observe/recorder/observation.ts'
import type { ActorRecord } from '../../../observe/recorder/record.ts'

const closers: (() => void)[] = []
afterEach(() => { for (const close of closers.splice(0)) close() })

const recordOf = (bytes: number): ActorRecord =>
  ({ at: 7, seq: 1, node: 'n1', actor: 'raft/7', kind: 'note', event: 'x'.repeat(bytes) })

/** Without an end, as of a cluster that is busy. */
async function* endless(): AsyncGenerator<ActorRecord, void> {
  const record = recordOf(1_000)
  for (;;) yield record
}

const serve = async (silenceMsMax?: number) => {
  const world = { opened: 0, closed: 0, recordings: 0 }
  const big = recordOf(2 * 1_024 * 1_024)
  const observation = {
    watch: () => {
      world.opened += 1
      return { take: () => ({ records: [big], lost: new Map() }), close: () => { world.closed += 1 } }
    },
    recording: async () => {
      world.recordings += 1
      return { cluster: 'c1', madeAt: 9, nodes: ['n1'], missing: [], records: endless() }
    },
  } satisfies Partial<Observation> as unknown as Observation
  const made = createAdminListener({
    admin: () => null, observation: () => observation, host: '127.0.0.1', token: null, version: '1', logLevels: createLogLevels('info'),
    newRequestId: () => 'x', onFailure: () => {},
  })
  if ('withheld' in made) throw new Error(made.withheld)
  const port = await new Promise<number>((resolve, reject) => {
    const { close } = serveHealth({
      host: '127.0.0.1', port: 0, readiness: () => ({ ready: true, waitingFor: [], warnings: [] }), admin: made.listener,
      ...(silenceMsMax === undefined ? {} : { silenceMsMax }),
    }, (error, given) => {
      if (error === null) resolve(given)
      else reject(error)
    })
    closers.push(close)
  })
  const ask = async (...paths: readonly string[]): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1')
    closers.push(() => { socket.destroy() })
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`).join(''))
    return socket
  }
  return { world, ask, base: `http://127.0.0.1:${port}` }
}

test('a reader that lives and does not read loses its place in the feed', async () => {
  const { world, ask } = await serve(1_000)
  const stalled = await ask('/v1/feed')
  stalled.pause()
  await until(() => world.closed === 1, 'its watcher has ended')
  expect(world.opened).toBe(1)
})

test('recordings that nobody reads on make place for others', async () => {
  const { world, ask, base } = await serve(6_000)
  for (let i = 0; i < 4; i += 1) (await ask('/v1/recording')).pause()
  await until(() => world.recordings === 4, 'as many are fetched as may be')
  expect((await fetch(`${base}/v1/recording`)).status).toBe(503)
  const giveUpAt = performance.now() + 30_000
  let status = 503
  while (status !== 200 && performance.now() < giveUpAt) {
    const answer = await fetch(`${base}/v1/recording`)
    await answer.body?.cancel()
    status = answer.status
  }
  expect(status).toBe(200)
})

test('a connection that asks for several streams at once and goes leaves none of them behind', async () => {
  const { world, ask, base } = await serve()
  const feeds = await ask(...Array.from({ length: 6 }, () => '/v1/feed'))
  await until(() => world.opened > 0, 'a feed is open')
  const recordings = await ask(...Array.from({ length: 4 }, () => '/v1/recording'))
  await until(() => world.recordings > 0, 'a recording is fetched')
  // Behind these two, whatever was asked for at once has been looked at.
  expect((await fetch(`${base}/v1/nothing`)).status).toBe(404)
  feeds.destroy()
  recordings.destroy()
  await until(() => world.closed === world.opened, 'every watcher has ended')
  const answers = await Promise.all(Array.from({ length: 4 }, () => fetch(`${base}/v1/recording`)))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
  for (const { body } of answers) await body?.cancel()
})
