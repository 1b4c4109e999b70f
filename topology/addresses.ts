/**
 * Where a node's process can be reached beside the broker. A node says so itself, in its beacon and in its report: an address comes and
 * goes with a process and nobody decides it, so it is no part of the cluster's map (docs/adr/0011-what-nodes-tell.md).
 *
 * Nothing is decided by it: nodes talk to each other by name, over the broker.
 */

export interface NodeAddresses {
  /** The machine, as it calls itself: where an address of loopback is. */
  readonly host: string
  /** `http://10.0.0.3:8481`, without a path: /livez, /readyz, /metrics and, if it is served, the admin API. */
  readonly http: string
  readonly hasAdmin: boolean
}

const HOST_CHARACTERS_MAX = 255
const HOST = /^[A-Za-z0-9._-]+$/
/** No login and no path: it can be given to `--admin` as it is. */
const URL_BASE = /^https?:\/\/[A-Za-z0-9.:_~[\]%-]{1,300}$/

export const isHttpAddress = (text: string): boolean => URL_BASE.test(text)

/** What a node says, or undefined for anything else: it may be of another version, and a beacon counts without it. */
export const addressesIn = (value: unknown): NodeAddresses | undefined => {
  if (typeof value !== 'object' || value === null) return undefined
  const { host, http, hasAdmin } = value as Readonly<Record<string, unknown>>
  if (typeof host !== 'string' || host.length > HOST_CHARACTERS_MAX || !HOST.test(host)) return undefined
  if (typeof http !== 'string' || !isHttpAddress(http) || typeof hasAdmin !== 'boolean') return undefined
  return { host, http, hasAdmin }
}

export interface OwnAddressesInput {
  readonly hostName: string
  /** What the port is bound to. */
  readonly httpHost: string
  readonly httpPort: number
  readonly hasAdmin: boolean
  /** How others reach the port, where somebody has said so. */
  readonly httpAddress?: string | undefined
}

const EVERY_ADDRESS: readonly string[] = ['0.0.0.0', '::', '']

/** Bound to every address of a machine, a port is reached by the machine's name, as far as anybody here knows. */
export const ownAddresses = ({ hostName, httpHost, httpPort, hasAdmin, httpAddress }: OwnAddressesInput): NodeAddresses => {
  const host = hostName.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, HOST_CHARACTERS_MAX) || 'unknown'
  const name = EVERY_ADDRESS.includes(httpHost) ? host : httpHost
  return { host, http: httpAddress ?? `http://${name.includes(':') ? `[${name}]` : name}:${httpPort}`, hasAdmin }
}
