/** Where a process says that it can be reached, and what is taken for such a word. */

import { describe, expect, test } from '@jest/globals'
import { addressesIn, isHttpAddress, ownAddresses } from '../../topology/addresses.ts'

const own = { hostName: 'web1.example.org', httpHost: '127.0.0.1', httpPort: 8481, hasAdmin: true }

describe('what a node says of itself', () => {
  test.each<readonly [string, Partial<Parameters<typeof ownAddresses>[0]>, string]>([
    ['the address that its port is bound to', { httpHost: '10.0.0.3' }, 'http://10.0.0.3:8481'],
    ['in brackets when it is of IPv6', { httpHost: '::1' }, 'http://[::1]:8481'],
    ['the machine\'s name when it is bound to all', { httpHost: '0.0.0.0' }, 'http://web1.example.org:8481'],
    ['of IPv6 alike', { httpHost: '::' }, 'http://web1.example.org:8481'],
    ['what it was told, whatever it is bound to', { httpHost: '0.0.0.0', httpAddress: 'https://n1.example.org' }, 'https://n1.example.org'],
  ])('is %s', (_, over, http) => {
    const found = ownAddresses({ ...own, ...over })
    expect(found).toEqual({ host: 'web1.example.org', http, hasAdmin: true })
    expect(addressesIn(found)).toEqual(found)
  })

  test.each([['', 'unknown'], ['Anna\'s Laptop', 'Anna-s-Laptop'], ['x'.repeat(300), 'x'.repeat(255)]])(
    'is a name that others take, of a machine called %j', (hostName, host) => {
      const found = ownAddresses({ ...own, hostName, httpHost: '0.0.0.0' })
      expect(found.host).toBe(host)
      expect(addressesIn(found)).toEqual(found)
    })
})

describe('of what others say', () => {
  const right = { host: 'web1', http: 'http://10.0.0.3:8481', hasAdmin: false }

  test('more than is known is left away: a later version may say it', () => {
    expect(addressesIn({ ...right, grpc: 'x' })).toEqual(right)
  })

  test.each<readonly [unknown]>([
    [undefined], [null], ['http://10.0.0.3:8481'], [{}], [{ ...right, host: '' }], [{ ...right, host: 'a b' }], [{ ...right, host: 7 }],
    [{ ...right, http: 7 }], [{ ...right, hasAdmin: 'yes' }],
  ])('%j is nothing', (value) => {
    expect(addressesIn(value)).toBeUndefined()
  })

  test.each([
    'ftp://10.0.0.3', 'http://', 'http://a/path', 'http://a?x', 'http://user:secret@a', 'http://a b', 'http://a\u001b[2J',
    `http://${'a'.repeat(301)}`,
  ])('%j is no address that a terminal may show and a person may use', (text) => {
    expect(isHttpAddress(text)).toBe(false)
    expect(addressesIn({ ...right, http: text })).toBeUndefined()
  })
})
