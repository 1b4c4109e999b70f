/** What every bus must do, whatever it stands on. Run by memoryBus.test.ts and natsBus.test.ts. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { until } from '../support/until.ts'
import type { Bus, BusEvent, Inbound, RequestFailure } from '../../bus/port.ts'

export interface BusFixture {
  readonly connect: () => Promise<Bus>
  readonly stop: () => Promise<void>
}

interface Heard {
  readonly subject: string
  readonly reply: string
  readonly text: string
  readonly headers: Readonly<Record<string, string>>
}

export const textOf = (data: Uint8Array): string => Buffer.from(data).toString()
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const heard = (message: Inbound): Heard =>
  ({ subject: message.subject, reply: message.reply, text: textOf(message.data), headers: Object.fromEntries(message.headers ?? []) })

export const flushed = (bus: Bus): Promise<Error | null> => new Promise((resolve) => bus.flush(resolve))

interface Answer {
  readonly failure: RequestFailure | null
  readonly answer: Heard | null
}

export const ask = (bus: Bus, subject: string, data: Uint8Array, timeoutMs = 5_000): Promise<Answer> => new Promise((resolve) =>
  bus.request(subject, data, { timeoutMs }, (failure, answer) => resolve({ failure, answer: answer === null ? null : heard(answer) })))

const PATIENCE_MS = 250
const ASKED_MAX = 40

interface World {
  /** Two connections that every test shares. */
  a: Bus
  b: Bus
  connect: BusFixture['connect']
}

interface Inbox {
  readonly messages: Heard[]
  readonly unsubscribe: () => void
}

/** Collects what `bus` hears on `subject`, once the broker knows of it. */
const listen = async (bus: Bus, subject: string, queue?: string): Promise<Inbox> => {
  const messages: Heard[] = []
  const options = queue === undefined ? {} : { queue }
  const { unsubscribe } = bus.subscribe(subject, (message) => messages.push(heard(message)), options)
  expect(await flushed(bus)).toBeNull()
  return { messages, unsubscribe }
}

export const describeBus = (name: string, start: () => Promise<BusFixture>): void => {
  describe(`${name}: a bus`, () => {
    const world = {} as World
    let fixture: BusFixture
    beforeAll(async () => {
      fixture = await start()
      world.connect = fixture.connect
      world.a = await fixture.connect()
      world.b = await fixture.connect()
    })
    afterAll(async () => {
      world.a.close()
      world.b.close()
      await fixture.stop()
    })
    testDelivery(world)
    testDraining(world)
    testRequests(world)
    testPayloads(world)
    testLifeCycle(world)
  })
}

const testDelivery = (world: World): void => {
  test('delivers to matching subjects only, with reply subject and headers', async () => {
    const { a, b } = world
    const exact = await listen(b, 'route.a.b')
    const star = await listen(b, 'route.*.b')
    const tail = await listen(b, 'route.>')
    const headers = new Map([['Kv-Status', 'OK'], ['X-Any', 'a: b, c']])
    expect(a.publish('route.a.b', bytesOf('one'), { reply: 'answers.here', headers })).toBe('sent')
    expect(a.publish('route.c.b', bytesOf('two'))).toBe('sent')
    expect(a.publish('route.c', bytesOf('three'))).toBe('sent')
    expect(a.publish('route', bytesOf('four'))).toBe('sent')
    await until(() => tail.messages.length === 3, 'everything under route has come')
    expect(tail.messages.map(({ text }) => text)).toEqual(['one', 'two', 'three'])
    expect(star.messages.map(({ text }) => text)).toEqual(['one', 'two'])
    expect(exact.messages).toEqual([
      { subject: 'route.a.b', reply: 'answers.here', text: 'one', headers: { 'Kv-Status': 'OK', 'X-Any': 'a: b, c' } },
    ])
    for (const each of [exact, star, tail]) each.unsubscribe()
  })

  test('does not hear itself', async () => {
    const { a, b } = world
    const own = await listen(a, 'echo')
    const others = await listen(b, 'echo')
    a.publish('echo', bytesOf('from a'))
    b.publish('echo', bytesOf('from b'))
    await until(() => own.messages.length + others.messages.length >= 2, 'both have heard one message')
    expect([own.messages[0]?.text, others.messages[0]?.text]).toEqual(['from b', 'from a'])
    own.unsubscribe()
    others.unsubscribe()
  })

  test('keeps the order of one publisher', async () => {
    const { a, b } = world
    const inbox = await listen(b, 'ordered.>')
    for (let i = 0; i < 1_000; i += 1) a.publish(`ordered.${i % 7}`, bytesOf(String(i)))
    await until(() => inbox.messages.length === 1_000, 'all thousand have come')
    expect(inbox.messages.map(({ text }) => Number(text))).toEqual(Array.from({ length: 1_000 }, (_, i) => i))
    inbox.unsubscribe()
  })

  test('gives each message to one member of a queue group, and to everybody outside it', async () => {
    const { a, b } = world
    const third = await world.connect()
    const first = await listen(b, 'shared.*', 'group')
    const second = await listen(third, 'shared.*', 'group')
    const outside = await listen(third, 'shared.*')
    for (let i = 0; i < 100; i += 1) a.publish(`shared.${i}`, bytesOf(String(i)))
    await until(() => outside.messages.length === 100 && first.messages.length + second.messages.length >= 100, 'all have come')
    const taken = [...first.messages, ...second.messages].map(({ text }) => Number(text)).sort((x, y) => x - y)
    expect(taken).toEqual(Array.from({ length: 100 }, (_, i) => i))
    first.unsubscribe()
    third.close()
  })

  test('delivers nothing any more once unsubscribed, not even what had already arrived', async () => {
    const { a, b } = world
    const texts: string[] = []
    const last = await listen(b, 'burst.end')
    const subscription = b.subscribe('burst', (message) => {
      texts.push(textOf(message.data))
      if (texts.length === 3) subscription.unsubscribe()
    })
    await flushed(b)
    for (let i = 0; i < 50; i += 1) a.publish('burst', bytesOf(String(i)))
    a.publish('burst.end', bytesOf(''))
    await until(() => last.messages.length === 1, 'the message after the burst has come')
    expect(texts).toEqual(['0', '1', '2'])
    subscription.unsubscribe()
    last.unsubscribe()
  })
}

const testDraining = (world: World): void => {
  test('drains a subscription: what was sent before is delivered, and who asks afterwards hears at once that nobody is there', async () => {
    const { a, b } = world
    const texts: string[] = []
    const subscription = b.subscribe('slot.1', (message) => {
      texts.push(textOf(message.data))
      b.publish(message.reply, message.data)
    })
    await flushed(b)
    const before = Array.from({ length: 50 }, (_, i) => ask(a, 'slot.1', bytesOf(String(i))))
    expect(await flushed(a)).toBeNull()
    let isDone = false
    await new Promise<void>((resolve) => {
      subscription.drain(() => {
        isDone = true
        resolve()
      })
      expect(isDone).toBe(false)
    })
    expect(texts).toHaveLength(50)
    expect((await Promise.all(before)).filter(({ failure }) => failure !== null)).toEqual([])
    expect(await ask(a, 'slot.1', bytesOf('late'))).toEqual({ failure: 'noResponders', answer: null })
    subscription.unsubscribe()
  })

  test('drops what it had still to deliver when it is unsubscribed in the middle, and confirms all the same', async () => {
    const { a, b } = world
    const texts: string[] = []
    const done = new Promise<void>((resolve) => {
      const subscription = b.subscribe('slot.2', (message) => {
        texts.push(textOf(message.data))
        if (texts.length === 1) subscription.drain(resolve)
        if (texts.length === 3) subscription.unsubscribe()
      })
    })
    await flushed(b)
    for (let i = 0; i < 50; i += 1) a.publish('slot.2', bytesOf(String(i)))
    await done
    expect(texts).toEqual(['0', '1', '2'])
  })

  test('confirms a drain when the connection ends instead', async () => {
    const { a } = world
    const leaving = await world.connect()
    const open = leaving.subscribe('slot.3', () => {})
    const late = leaving.subscribe('slot.4', () => {})
    await flushed(leaving)
    const drained = new Promise<void>((resolve) => { open.drain(resolve) })
    leaving.close()
    await drained
    await new Promise<void>((resolve) => { late.drain(resolve) })
    expect(await askTheRest(a, 'slot.3')).toEqual({ failure: 'noResponders', answer: null })
  })
}

/**
 * Asks until the broker has noticed that a connection which was closed is gone: what it had sent there until then is lost, and has
 * neither an answer nor a refusal.
 */
const askTheRest = async (bus: Bus, subject: string): Promise<Answer> => {
  for (let asked = 1; ; asked += 1) {
    const answer = await ask(bus, subject, bytesOf(''), PATIENCE_MS)
    if (answer.failure !== 'timeout' || asked === ASKED_MAX) return answer
  }
}

const testRequests = (world: World): void => {
  test('carries the first answer to a request', async () => {
    const { a, b } = world
    const service = b.subscribe('service.double', (message) => {
      b.publish(message.reply, bytesOf(`${textOf(message.data)}${textOf(message.data)}`), { headers: new Map([['Kv-Status', 'OK']]) })
      b.publish(message.reply, bytesOf('too late'))
    })
    await flushed(b)
    const answers = await Promise.all(['x', 'y'].map((text) => ask(a, 'service.double', bytesOf(text))))
    expect(answers.map(({ failure, answer }) => [failure, answer?.text, answer?.headers])).toEqual([
      [null, 'xx', { 'Kv-Status': 'OK' }], [null, 'yy', { 'Kv-Status': 'OK' }],
    ])
    service.unsubscribe()
  })

  test('passes over what can not be the answer, and waits on', async () => {
    const { a, b } = world
    const inboxes: string[] = []
    const service = b.subscribe('service.forged', ({ reply }) => {
      inboxes.push(reply)
      b.publish(reply, bytesOf('a stored value'), { headers: new Map([['Kv-Status', 'OK']]) })
      b.publish(reply, bytesOf('another'))
      if (inboxes.length === 1) b.publish(reply, bytesOf('the answer'))
    })
    await flushed(b)
    const isAnswer = ({ headers, data }: Inbound): boolean => headers === undefined && textOf(data) === 'the answer'
    const answers: unknown[] = []
    for (const timeoutMs of [5_000, 100]) {
      await new Promise<void>((resolve) => a.request('service.forged', bytesOf(''), { timeoutMs, isAnswer }, (failure, answer) => {
        answers.push([failure, answer === null ? null : textOf(answer.data)])
        resolve()
      }))
    }
    expect(answers).toEqual([[null, 'the answer'], ['timeout', null]])
    service.unsubscribe()
  })

  test('is told at once that nobody is there, whatever may be an answer', async () => {
    const { a } = world
    expect(await new Promise((resolve) => a.request('service.nowhere', bytesOf(''), { timeoutMs: 5_000, isAnswer: () => false }, resolve)))
      .toBe('noResponders')
  })

  test('passes the headers of a request on', async () => {
    const { a, b } = world
    const seen: Heard[] = []
    const service = b.subscribe('service.headers', (message) => {
      seen.push(heard(message))
      b.publish(message.reply, message.data)
    })
    await flushed(b)
    await new Promise<void>((resolve) => a.request('service.headers', bytesOf(''), {
      timeoutMs: 5_000, headers: new Map([['Kv-Request-Id', 'r1']]),
    }, () => resolve()))
    expect(seen[0]?.headers).toEqual({ 'Kv-Request-Id': 'r1' })
    service.unsubscribe()
  })

  test('says that a request reached nobody, at once and apart from silence', async () => {
    const { a, b } = world
    const mute = await listen(b, 'service.mute')
    const own = await listen(a, 'service.own')
    expect(await ask(a, 'service.nobody', bytesOf(''))).toEqual({ failure: 'noResponders', answer: null })
    expect(await ask(a, 'service.own', bytesOf(''))).toEqual({ failure: 'noResponders', answer: null })
    expect(await ask(a, 'service.mute', bytesOf(''), 50)).toEqual({ failure: 'timeout', answer: null })
    await until(() => mute.messages.length === 1, 'whoever is silent has heard it')
    mute.unsubscribe()
    own.unsubscribe()
  })

  test('answers a publication with a reply subject that reached nobody with status 503', async () => {
    const { a } = world
    const inbox = await listen(a, '_INBOX.mine.*')
    a.publish('nobody.here', bytesOf('hello'), { reply: '_INBOX.mine.1' })
    await until(() => inbox.messages.length === 1, 'the broker has answered')
    expect(inbox.messages[0]).toMatchObject({ subject: '_INBOX.mine.1', text: '', headers: { Status: '503' } })
    inbox.unsubscribe()
  })
}

const testPayloads = (world: World): void => {
  test('takes payloads up to its limit, headers included, and refuses more', async () => {
    const { a, b } = world
    const inbox: number[] = []
    const subscription = b.subscribe('large', (message) => inbox.push(message.data.length))
    await flushed(b)
    const { maxPayloadBytes } = a.status()
    const headers = new Map([['A', 'b']])
    expect(a.publish('large', new Uint8Array(maxPayloadBytes))).toBe('sent')
    expect(a.publish('large', new Uint8Array(maxPayloadBytes), { headers: new Map() })).toBe('sent')
    expect(a.publish('large', new Uint8Array(maxPayloadBytes + 1))).toBe('tooLarge')
    expect(a.publish('large', new Uint8Array(maxPayloadBytes), { headers })).toBe('tooLarge')
    expect(a.publish('large', new Uint8Array(maxPayloadBytes - 18), { headers })).toBe('sent')
    expect(a.publish('large', new Uint8Array(maxPayloadBytes - 17), { headers })).toBe('tooLarge')
    await until(() => inbox.length === 3, 'what fits has come')
    expect(inbox).toEqual([maxPayloadBytes, maxPayloadBytes, maxPayloadBytes - 18])
    subscription.unsubscribe()
  })

  test('throws for a header that would be another one, and sends nothing', async () => {
    const { a, b } = world
    const inbox = await listen(b, 'said')
    expect(() => a.publish('said', bytesOf('refused'), { headers: new Map([['Kv-Id', '1\r\nKv-Other: 2']]) })).toThrow(TypeError)
    a.publish('said', bytesOf('taken'))
    await until(() => inbox.messages.length > 0, 'it has come')
    expect(inbox.messages.map(({ text }) => text)).toEqual(['taken'])
    inbox.unsubscribe()
  })

  test('has taken the bytes when publish returns', async () => {
    const { a, b } = world
    const inbox = await listen(b, 'copied')
    const data = bytesOf('first')
    a.publish('copied', data)
    data.fill(0x21)
    await until(() => inbox.messages.length === 1, 'it has come')
    expect(inbox.messages[0]?.text).toBe('first')
    inbox.unsubscribe()
  })

  test('hands out plain bytes: a slice of them is a copy, not the view that a Buffer gives', async () => {
    const { a, b } = world
    const copies: Uint8Array[] = []
    const views: Uint8Array[] = []
    const subscription = b.subscribe('plain', ({ data }) => {
      copies.push(data.slice())
      views.push(data)
    })
    await flushed(b)
    a.publish('plain', Buffer.from('plain'))
    await until(() => copies.length === 1, 'it has come')
    expect(Buffer.isBuffer(views[0])).toBe(false)
    expect(copies[0]?.buffer).not.toBe(views[0]?.buffer)
    expect(textOf(copies[0] ?? bytesOf(''))).toBe('plain')
    subscription.unsubscribe()
  })
}

const testLifeCycle = (world: World): void => {
  test('says how it stands', async () => {
    const { a } = world
    expect(await flushed(a)).toBeNull()
    const status = a.status()
    expect(status).toMatchObject({ connected: true, maxPayloadBytes: 1_048_576 })
    expect(status.roundTripMs).toBeGreaterThanOrEqual(0)
    expect(status.server.url).toMatch(/^\w+:\/\//)
    expect(status.server.version).toMatch(/^\d+\.\d+\.\d+/)
    await until(() => a.status().outstandingBytes === 0, 'everything is confirmed')
  })

  test('refuses everything after it was closed', async () => {
    const closing = await world.connect()
    const events: BusEvent[] = []
    closing.onEvent((event) => events.push(event))
    closing.close()
    await until(() => events.length > 0, 'it is closed')
    expect(events[0]?.type).toBe('bus.closed')
    expect(closing.publish('any', bytesOf(''))).toBe('disconnected')
    expect(closing.status().connected).toBe(false)
    expect(await flushed(closing)).toBeInstanceOf(Error)
    expect(await ask(closing, 'any', bytesOf(''))).toEqual({ failure: 'closed', answer: null })
  })

  test('drains: what has arrived is handled, then it is closed', async () => {
    const { a } = world
    const draining = await world.connect()
    const inbox = await listen(draining, 'draining')
    for (let i = 0; i < 20; i += 1) a.publish('draining', bytesOf(String(i)))
    expect(await flushed(a)).toBeNull()
    await new Promise<void>((resolve) => draining.drain(resolve))
    expect(inbox.messages).toHaveLength(20)
    expect(draining.publish('any', bytesOf(''))).toBe('disconnected')
    expect(await ask(a, 'draining', bytesOf(''))).toMatchObject({ failure: 'noResponders' })
  })
}
