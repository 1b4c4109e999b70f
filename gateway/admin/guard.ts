/**
 * Who may use the admin API.
 *
 *   bound to     token   served                     what keeps strangers out
 *   loopback     none    yes                        only this machine reaches it; browsers are kept out by Host and Origin
 *   loopback     set     yes                        the token
 *   elsewhere    none    no: health alone           nothing would
 *   elsewhere    set     yes                        the token
 *
 * A page in a browser of this machine reaches loopback too. Two ways are closed: a name of its own that resolves to 127.0.0.1 (DNS
 * rebinding) comes with that name as Host; a plain form or fetch to 127.0.0.1 comes with its Origin, or with Sec-Fetch-Site. Nothing
 * here is ever allowed to other origins (no CORS).
 */

import { createHash, timingSafeEqual } from 'node:crypto'
import { problemOf } from './problems.ts'
import type { Problem } from './views.ts'

export const TOKEN_CHARACTERS_MIN = 16

export interface GuardedRequest {
  readonly header: (name: string) => string | undefined
}

export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)

/** Of a Host header. */
export const isLocalName = (host: string): boolean => isLoopback(nameOf(host))

/** Null: it may pass. The token is compared in a time that does not depend on how much of it is right. */
export const createGuard = (token: string | null): ((request: GuardedRequest) => Problem | null) => {
  const wanted = token === null ? null : digest(token)
  return ({ header }) => {
    const origin = header('origin')
    const isForeign = origin !== undefined && hostOf(origin) !== header('host')
    if (isForeign || ['cross-site', 'same-site'].includes(header('sec-fetch-site') ?? '')) {
      return problemOf('foreignOrigin', 'a page of another origin asks: this API is for programs, and for its own pages')
    }
    if (wanted !== null) return isRight(wanted, header('authorization')) ? null : unauthorised
    return isLocalName(header('host') ?? '') ? null : foreignHost
  }
}

const unauthorised = problemOf('unauthorised', 'give the token of this cluster\'s nodes: "Authorization: Bearer ..." (SHARDKV_ADMIN_TOKEN)')
const foreignHost = problemOf('foreignHost',
  'without a token this API answers to 127.0.0.1, [::1] and localhost alone: ask it under such a name')

const isRight = (wanted: Buffer, authorization: string | undefined): boolean => {
  const [, given = ''] = /^Bearer +([^ ]+) *$/i.exec(authorization ?? '') ?? []
  return timingSafeEqual(wanted, digest(given))
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

const hostOf = (origin: string): string => /^[a-z]+:\/\/(.+)$/.exec(origin)?.[1] ?? ''

/** Without the port, and without the brackets of an IPv6 address. */
const nameOf = (host: string): string => (/^\[(.+)\](?::\d+)?$/.exec(host)?.[1] ?? host.replace(/:\d+$/, '')).toLowerCase()
