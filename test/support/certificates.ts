/**
 * Certificates for tests, made when they are needed: X.509 version 3 (RFC 5280) with Ed25519 keys (RFC 8410), written out by hand since
 * Node reads them and makes none. Valid for an hour, for 127.0.0.1 and localhost.
 */

import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

export interface Certified {
  readonly name: string
  /** PEM. */
  readonly certificate: string
  readonly key: string
}

const HOUR_MS = 3_600_000
const tags = { integer: 2, bits: 3, octets: 4, oid: 6, text: 12, time: 24, sequence: 0x30, set: 0x31 } as const

const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts)
  const length = body.length < 128 ? [body.length] : body.length < 256 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 255]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(tags.sequence, ...parts)
const oid = (hex: string): Buffer => der(tags.oid, Buffer.from(hex, 'hex'))

const ed25519 = sequence(oid('2b6570'))
const commonName = oid('550403')
const [alternativeNames, basicConstraints, yes] = [oid('551d11'), oid('551d13'), Buffer.from([1, 1, 0xff])]

const nameOf = (text: string): Buffer => sequence(der(tags.set, sequence(commonName, der(tags.text, Buffer.from(text)))))
const timeOf = (ms: number): Buffer => der(tags.time, Buffer.from(new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '')))

/** `issuer` absent: it vouches for itself, and for others. */
export const certify = (name: string, issuer?: Certified): Certified => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const now = Date.now()
  const places = sequence(der(0x87, Buffer.from([127, 0, 0, 1])), der(0x82, Buffer.from('localhost')))
  const extension = issuer === undefined
    ? sequence(basicConstraints, yes, der(tags.octets, sequence(yes))) : sequence(alternativeNames, der(tags.octets, places))
  const body = sequence(
    der(0xa0, der(tags.integer, Buffer.from([2]))), der(tags.integer, Buffer.from([1]), randomBytes(8)), ed25519,
    nameOf(issuer?.name ?? name), sequence(timeOf(now - HOUR_MS), timeOf(now + HOUR_MS)), nameOf(name),
    publicKey.export({ format: 'der', type: 'spki' }), der(0xa3, sequence(extension)),
  )
  const signer: KeyObject = issuer === undefined ? privateKey : createPrivateKey(issuer.key)
  const whole = sequence(body, ed25519, der(tags.bits, Buffer.from([0]), sign(null, body, signer)))
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? []
  return {
    name,
    certificate: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'),
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  }
}
