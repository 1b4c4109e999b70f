/** What becomes of a connection: the library says it in three places, and not why this side has ended one. Here it is BusEvents. */

import { NoHeadersError } from './refusedConnection.ts'
import type { NatsConnection, Status } from 'nats'
import type { BusEvent } from './port.ts'

export interface NatsEventsOptions {
  readonly connection: NatsConnection
  /** Before anybody is told. */
  readonly onLost: () => void
  /** With what a listener threw. */
  readonly onThrown: (error: unknown) => void
}

export interface NatsEvents {
  readonly isConnected: () => boolean
  readonly listen: (listener: (event: BusEvent) => void) => void
  /** Calls back when the connection is lost or closed, unless the result is called before; it says whether it came in time. */
  readonly onceLost: (listener: () => void) => () => boolean
  /** Why the connection is about to be lost. */
  readonly noteReason: (reason: string) => void
}

export const createEvents = ({ connection, onLost, onThrown }: NatsEventsOptions): NatsEvents => {
  const listeners: ((event: BusEvent) => void)[] = []
  const losses = new Set<() => void>()
  let connected = true
  let reasonOfLoss: string | undefined
  let refusal: Error | undefined
  const lose = (): void => {
    const told = [...losses]
    losses.clear()
    for (const listener of told) listener()
  }
  const emit = (event: BusEvent): void => {
    if (event.type === 'bus.connected') connected = true
    if (event.type === 'bus.disconnected') {
      connected = false
      onLost()
    }
    for (const listener of listeners) listener(event)
    if (!connected) lose()
  }
  /** The broker of a reconnect may be another one. */
  const refuse = (why: Error): void => {
    refusal = why
    void connection.close().catch(() => {})
  }
  const eventOf = (status: Status): BusEvent | null => {
    switch (status.type as string) {
      case 'reconnect':
        if (connection.info?.headers === true) return { type: 'bus.connected' }
        refuse(new NoHeadersError())
        return null
      case 'disconnect': {
        const lost = reasonOfLoss
        reasonOfLoss = undefined
        return lost === undefined ? { type: 'bus.disconnected' } : { type: 'bus.disconnected', reason: lost }
      }
      case 'ldm': return { type: 'bus.lameDuck' }
      case 'error': return deniedOf(status)
    }
    return null
  }
  const follow = async (): Promise<void> => {
    for await (const status of connection.status()) {
      const event = eventOf(status)
      if (event !== null) emit(event)
    }
  }
  follow().catch(onThrown)
  connection.closed().then((reason) => {
    connected = false
    const why = refusal ?? reason
    emit(why instanceof Error ? { type: 'bus.closed', reason: why.message } : { type: 'bus.closed' })
  }).catch(onThrown)
  return {
    isConnected: () => connected,
    listen: (listener) => {
      listeners.push(listener)
    },
    onceLost: (listener) => {
      losses.add(listener)
      return () => losses.delete(listener)
    },
    noteReason: (reason) => {
      reasonOfLoss = reason
    },
  }
}

const deniedOf = (status: Status): BusEvent | null => {
  const { permissionContext } = status
  if (permissionContext === undefined) return null
  const operation = permissionContext.operation === 'publish' ? 'publish' : 'subscribe'
  return { type: 'bus.permissionDenied', operation, subject: permissionContext.subject }
}
