/** Addresses of a broker as people write them: a login in one is taken out, and whatever can not be read is not repeated. */

import { describe, expect, test } from '@jest/globals'
import { parseBrokerUrls } from '../../bus/brokerUrls.ts'

describe('an address without a login', () => {
  test.each([
    [['nats://127.0.0.1:4222']],
    [['nats://broker', 'tls://b2.example.org:4223', 'ws://b3']],
    [['127.0.0.1:4222', 'broker', 'my_broker:4222']],
    [['nats://[::1]:4222', 'nats://[fe80::1]', '::1']],
  ])('%j is taken as it is', (urls) => {
    expect(parseBrokerUrls(urls)).toEqual({ ok: true, servers: urls, login: null, secrets: [] })
  })

  test('loses a slash at its end', () => {
    expect(parseBrokerUrls(['nats://broker:4222/'])).toMatchObject({ servers: ['nats://broker:4222'] })
  })
})

describe('a login in an address', () => {
  test.each([
    ['nats://ann:geheim@broker:4222', { user: 'ann', pass: 'geheim' }, ['geheim']],
    ['nats://ann:a%40b%2Fc%3Ad@broker', { user: 'ann', pass: 'a@b/c:d' }, ['a%40b%2Fc%3Ad', 'a@b/c:d']],
    ['nats://an%20n:x:y@broker', { user: 'an n', pass: 'x:y' }, ['x:y']],
    ['nats://ann:@broker', { user: 'ann', pass: '' }, []],
    ['nats://s3cr%23t@broker', { token: 's3cr#t' }, ['s3cr%23t', 's3cr#t']],
  ])('%s is read, decoded, and gone from the address', (url, login, secrets) => {
    const parsed = parseBrokerUrls([url])
    expect(parsed).toMatchObject({ ok: true, login, secrets })
    expect(parsed.ok && parsed.servers[0]).toMatch(/^nats:\/\/broker(:4222)?$/)
  })

  test('counts for the whole list, in one of them or the same in several', () => {
    const login = { user: 'ann', pass: 'x' }
    expect(parseBrokerUrls(['nats://ann:x@a', 'nats://b'])).toMatchObject({ servers: ['nats://a', 'nats://b'], login })
    expect(parseBrokerUrls(['nats://ann:x@a', 'nats://ann:x@b'])).toMatchObject({ login })
    expect(parseBrokerUrls(['nats://ann:x@a', 'nats://ben:x@b'])).toMatchObject({ ok: false, reason: expect.stringMatching(/differ/) })
  })
})

describe('what can not be read', () => {
  test.each([
    [['nats://ann:geh%eim@broker']],
    [['nats://ann:geh@eim@broker']],
    [['nats://ann:geh/eim@broker']],
    [['nats://ann:geh eim@broker']],
    [['nats://:geheim@broker']],
    [['nats://@broker']],
    [['ann:geheim@broker']],
    [['nats://ann:geheim@']],
    [['nats://ann:geheim']],
    [['nats://ann:12', '34geheim@broker']],
    [['nats://broker:port']],
    [['nats://broker:123456']],
    [['nats://broker/geheim']],
    [['nats://']],
    [['']],
    [[]],
  ])('%j is refused, and no part of it is repeated', (urls) => {
    const parsed = parseBrokerUrls(['nats://first', ...urls].slice(urls.length === 0 ? 1 : 0))
    expect(parsed).toMatchObject({ ok: false, reason: expect.stringMatching(/address/) })
    expect(JSON.stringify(parsed)).not.toMatch(/geh|eim|ann:|34/)
  })
})
