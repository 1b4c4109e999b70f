/** Questions the launcher asks over the network: does a node call itself ready, and is a port free? */

import { createConnection } from 'node:net'

const PROBE_TIMEOUT_MS = 1_000

/** True when `/readyz` answers 200. */
export const isReady = async (host: string, port: number): Promise<boolean> => {
  try {
    const response = await fetch(`http://${host}:${port}/readyz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}

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
