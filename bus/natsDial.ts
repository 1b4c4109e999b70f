/**
 * Makes the library's connection as its `connect` does, but by sockets of our own (natsSocket.ts), of which none outlives its attempt.
 *
 * The library forgets an attempt that took too long, and leaves its socket. When a broker that was stopped goes on, that would be a second
 * connection, whose end the library takes for the end of the one that it has: it makes a third, leaves that one too, and both are heard.
 *
 * It uses parts of the library that are not its interface: the exact version is pinned, and another one is refused.
 */

import { once } from 'node:events'
import { NatsConnectionImpl, ProtocolHandler, setTransportFactory } from 'nats/lib/src/nats-base-client.js'
import { NodeTransport, nodeResolveHost } from 'nats/lib/src/node_transport.js'
import { must } from '../actors/kernel/assert.ts'
import { openSocket } from './natsSocket.ts'
import type { Socket } from 'node:net'
import type { ConnectionOptions, NatsConnection, Status } from 'nats'

/** The version of `nats` that package.json names. */
export const CLIENT_VERSION = '2.29.3'

export class ClientLibraryError extends Error {
  override readonly name = 'ClientLibraryError'

  constructor(what: string) {
    super(`the package nats is not ${CLIENT_VERSION}, the version that ShardKV is made for (${what}): install that one; nothing was sent`)
  }
}

/** As the library's own: none of its attempts looks any different. */
const transports = { factory: () => new NodeTransport(), dnsResolveFn: nodeResolveHost }

interface Attempts {
  /** Makes the transport of the next one. */
  prepare: () => unknown
  readonly transport?: NodeTransport
}

/** Rejects as the library's `connect` does, and with ClientLibraryError by what one of its transports says of itself. */
export const dialNats = async (options: ConnectionOptions, { version } = new NodeTransport()): Promise<NatsConnection> => {
  if (version !== CLIENT_VERSION) throw new ClientLibraryError(`it is ${version}`)
  setTransportFactory(transports)
  const connection = newConnection(options)
  const protocol = new ProtocolHandler(connection.options, connection)
  const attempts = protocol as unknown as Attempts
  const { prepare } = attempts
  attempts.prepare = () => {
    abandon(attempts.transport)
    const pong = prepare.call(attempts)
    dialByOurs(must(attempts.transport, 'an attempt has a transport'))
    return pong
  }
  const end = (): void => abandon(attempts.transport)
  try {
    await protocol.dialLoop()
  } catch (error) {
    end()
    throw error
  }
  void protocol.closed.then(end)
  connection.protocol = protocol
  void passOn(protocol.status(), connection)
  return connection as NatsConnection
}

/** Its declaration says that only the library may. */
const newConnection = (options: ConnectionOptions): NatsConnectionImpl =>
  new (NatsConnectionImpl as unknown as new (options: ConnectionOptions) => NatsConnectionImpl)(options)

/** The socket is the transport's from the beginning: an attempt that ends before it is connected ends it, too. */
const dialByOurs = (transport: NodeTransport): void => {
  transport.dial = async ({ hostname, port }) => {
    transport.socket = openSocket(hostname, port)
    await once(transport.socket, 'connect')
    return transport.socket
  }
  const tlsFirst = transport.tlsFirst.bind(transport)
  // As its STARTTLS does, it then makes TLS of the socket that is there.
  transport.tlsFirst = async (place) => {
    await transport.dial(place)
    return await tlsFirst(place)
  }
}

/** Ends what an attempt has left: nothing, when there was none, when it never had a socket, or ended it itself. */
const abandon = (transport: Pick<NodeTransport, 'isClosed' | 'connected'> & { readonly socket?: Socket } | undefined): void => {
  if (transport?.socket === undefined || transport.isClosed) return
  const { socket } = transport
  if (transport.connected) socket.removeAllListeners().on('error', () => {})
  socket.destroy()
}

const passOn = async (statuses: AsyncIterable<Status>, { listeners }: NatsConnectionImpl): Promise<void> => {
  for await (const status of statuses) for (const listener of listeners) listener.push(status)
}
