/**
 * What is taken for a node's report on itself, by whoever asked on `kv.status`: the command line, the bench, the chaos lane.
 *
 * Anybody may publish to an inbox that it knows of, so not everything that comes in is one. A report has no headers (why: nameClaims.ts).
 * What has some is the broker's own "no responders", a node's error, or bytes of a client's choice that a node was made to send. And it
 * has the fields that those who read it go by, of the kinds that they have.
 *
 * What is shown of it is shown in terminals. So control characters are blanks here, wherever they stand: where a broker has no permissions,
 * a client may answer in a node's place, and would else retitle, overwrite or question the terminal of whoever looks after the cluster.
 */

import { isShardCount } from './ids.ts'
import type { Inbound } from '../bus/port.ts'
import type { NodeReport } from './report.ts'

type Answer = Pick<Inbound, 'data' | 'headers'>

/** The report, or null for anything else. */
export const reportIn = (message: Answer): NodeReport | null => {
  const report = statusIn(message) as Partial<NodeReport> | null
  if (report === null) return null
  const { node, members, replicas, shardCount, broker } = report
  // Whoever reads it makes a row for every shard.
  const isReport = typeof node?.id === 'string' && typeof node.state === 'string' && isListOf(members, isText)
    && isListOf(replicas, isReplica) && isShardCount(shardCount) && typeof broker === 'object' && broker !== null
  return isReport ? report as NodeReport : null
}

/** The fields of an answer without headers, whatever they are; null where there are headers, or no fields. */
export const statusIn = ({ data, headers }: Answer): Readonly<Record<string, unknown>> | null => {
  if (headers !== undefined) return null
  try {
    const found = JSON.parse(new TextDecoder().decode(data), withoutControls) as unknown
    return typeof found === 'object' && found !== null ? found as Readonly<Record<string, unknown>> : null
  } catch {
    return null
  }
}

const CONTROL = /\p{Cc}/u
const controls = /\p{Cc}/gu

/** A field that has one in its name is none of a report. */
const withoutControls = (name: string, value: unknown): unknown => {
  if (CONTROL.test(name)) return undefined
  return typeof value === 'string' ? value.replaceAll(controls, ' ') : value
}

const isText = (value: unknown): boolean => typeof value === 'string'

const isReplica = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null) return false
  const { shard, role, state } = value as Readonly<Record<string, unknown>>
  return Number.isInteger(shard) && typeof role === 'string' && typeof state === 'string'
}

const isListOf = (value: unknown, isOne: (item: unknown) => boolean): boolean => Array.isArray(value) && value.every(isOne)
