/** Questions the launcher asks over the network: does a node call itself ready, and is a port free? */

import { get } from 'node:http'
import { createConnection } from 'node:net'

const PROBE_TIMEOUT_MS = 1_000

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
