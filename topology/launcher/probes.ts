/** Questions the launcher asks over the network: does a node call itself ready, which broker is it, and is a port free? */

import { get } from 'node:http'
import { createConnection } from 'node:net'

const PROBE_TIMEOUT_MS = 1_000
/** What a broker says of itself is some hundreds of bytes. */
const GREETING_CHARS_MAX = 64 * 1_024

/** True when `/readyz` answers 200. Each question has a connection of its own, so that none outlives its node. */
export const isReady = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const request = get({ host, port, path: '/readyz', agent: false, timeout: PROBE_TIMEOUT_MS }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.once('timeout', () => { request.destroy(new Error('no answer in time')) })
    request.once('error', () => { resolve(false) })
  })

/** True when somebody accepts connections there. */
export const isTaken = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host, port })
    const answer = (taken: boolean) => (): void => {
      socket.destroy()
      resolve(taken)
    }
    socket.setTimeout(PROBE_TIMEOUT_MS, answer(false))
    socket.once('connect', answer(true))
    socket.once('error', answer(false))
  })

/** By which name a broker greets there (`INFO {"server_name":"..."}`); null when none does. */
export const brokerName = (host: string, port: number): Promise<string | null> =>
  new Promise((resolve) => {
    const socket = createConnection({ host, port })
    const answer = (name: string | null) => (): void => {
      socket.destroy()
      resolve(name)
    }
    let greeting = ''
    socket.setTimeout(PROBE_TIMEOUT_MS, answer(null))
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      greeting += chunk
      if (greeting.includes('\n') || greeting.length > GREETING_CHARS_MAX) answer(nameIn(greeting))()
    })
    socket.once('error', answer(null))
    socket.once('close', answer(null))
  })

const nameIn = (greeting: string): string | null => {
  try {
    const { server_name: name } = JSON.parse(/^INFO (\{.*\})/.exec(greeting)?.[1] ?? '{}') as { server_name?: string }
    return name ?? null
  } catch {
    return null
  }
}
