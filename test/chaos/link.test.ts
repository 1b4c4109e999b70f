/** A link between somebody and a broker: what it does to the bytes when it is told to, and that it gives them back whole. */

import { afterEach, describe, expect, test } from '@jest/globals'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createRandom } from '../../actors/kernel/random.ts'
import { openLink } from '../../chaos/proxy/link.ts'
import { until } from '../support/until.ts'
import type { AddressInfo, Socket } from 'node:net'
import type { Link } from '../../chaos/proxy/link.ts'

const cleanUps: (() => void)[] = []
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) cleanUp()
})

interface Ends {
  readonly link: Link
  readonly near: Socket
  /** What the broker's end has heard. */
  readonly heard: () => string
  readonly isClosed: () => boolean
}

const openEnds = async (): Promise<Ends> => {
  let heard = ''
  const broker = createServer((socket) => {
    socket.on('data', (chunk: Buffer) => { heard += chunk.toString() })
    socket.on('error', () => {})
  })
  broker.listen(0, '127.0.0.1')
  await once(broker, 'listening')
  const link = await openLink({ name: 'test', targetPort: (broker.address() as AddressInfo).port })
  const near = connect(link.port, '127.0.0.1')
  near.on('error', () => {})
  let isClosed = false
  near.on('close', () => { isClosed = true })
  cleanUps.push(() => broker.close(), link.close, () => near.destroy())
  near.write('PING\r\n')
  await until(() => heard === 'PING\r\n', 'the link carries')
  return { link, near, heard: () => heard.slice('PING\r\n'.length), isClosed: () => isClosed }
}

const message = (text: string, subject = 'skv.x'): string => `PUB ${subject} ${text.length}\r\n${text}\r\n`

describe('a link', () => {
  test('that is stalled holds everything, and lets it go in one burst, in order', async () => {
    const { link, near, heard } = await openEnds()
    link.stall('toBroker')
    const sent = Array.from({ length: 20 }, (_, i) => message(`m${i}`)).join('')
    near.write(sent)
    near.write('PING\r\n')
    // Another link to the same broker's end says when the bytes have passed the first.
    await until(() => near.writableLength === 0, 'the bytes are on their way')
    expect(heard()).toBe('')
    link.mend()
    await until(() => heard().length === sent.length + 'PING\r\n'.length, 'the burst has come')
    expect(heard()).toBe(`${sent}PING\r\n`)
  })

  test('that is cut ends its connections and takes no new one until it is mended', async () => {
    const { link, isClosed } = await openEnds()
    link.cut()
    await until(isClosed, 'the connection has ended')
    const refused = connect(link.port, '127.0.0.1')
    refused.on('error', () => {})
    await once(refused, 'close')
    link.mend()
    const again = connect(link.port, '127.0.0.1')
    cleanUps.push(() => again.destroy())
    await once(again, 'connect')
  })

  test('that is half-open swallows one direction without a word, and does not outlive its mending', async () => {
    const { link, near, heard, isClosed } = await openEnds()
    link.mute('toBroker')
    near.write(message('lost'))
    await until(() => near.writableLength === 0, 'the bytes are on their way')
    expect(isClosed()).toBe(false)
    // Its bytes are missing in the middle of a stream: nothing could follow them.
    await until(() => {
      link.mend()
      link.mute('toBroker')
      return isClosed()
    }, 'the connection has ended')
    expect(heard()).toBe('')
  })

  test('that is isolated loses what nodes say to each other, and carries everything else', async () => {
    const { link, near, heard } = await openEnds()
    link.isolate('toBroker')
    near.write(message('lost', 'skv.c.node.n2.n1') + message('asked', 'kv.get.k') + message('answered', '_INBOX.x'))
    await until(() => heard().endsWith('answered\r\n'), 'the rest has passed')
    link.mend()
    near.write(message('heard', 'skv.c.node.n2.n1'))
    await until(() => heard().endsWith('heard\r\n'), 'nodes hear each other again')
    expect(heard()).toBe(message('asked', 'kv.get.k') + message('answered', '_INBOX.x') + message('heard', 'skv.c.node.n2.n1'))
  })

  test('in weather loses, doubles and delays messages, never control frames', async () => {
    const { link, near, heard } = await openEnds()
    link.setWeather({ loss: 1, duplication: 0, reordering: 0, delayMsMean: 0 }, createRandom(1))
    near.write(`${message('lost')}PING\r\n`)
    await until(() => heard() === 'PING\r\n', 'the control frame has come alone')
    link.setWeather({ loss: 0, duplication: 1, reordering: 0, delayMsMean: 3 }, createRandom(1))
    const plain = message('once', 'kv.incr.c')
    near.write(message('a') + plain + message('b'))
    const expected = `PING\r\n${message('a')}${message('a')}${plain}${message('b')}${message('b')}`
    await until(() => heard().length === expected.length, 'all have come')
    expect(heard()).toBe(expected)
    expect(link.figures()).toMatchObject({ dropped: 1, doubled: 2 })
  })
})
