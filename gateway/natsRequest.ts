/**
 * One raw NATS request as an operation: what the subject and the headers say, checked as far as that needs no state.
 *
 * Every refusal here is one that each receiver would give in the same words, so it is definite whoever gives it; but for one: what a value
 * may weigh follows from the broker's payload as it was when this process started. Where that was raised since, and not every node has
 * restarted, a leader that does not know yet that it is none any more refuses by its slot what its successor takes.
 */

import { OpCode, VALUE_BYTES_MAX, isRead } from '../actors/shard/operation.ts'
import { parseRequestHeaders } from '../bus/headers.ts'
import { shardOf } from '../topology/hash.ts'
import type { ClientRequest } from '../actors/connection/protocol.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { Operation, StatusName } from '../actors/shard/operation.ts'
import type { RequestHeaders } from '../bus/headers.ts'
import type { Inbound } from '../bus/port.ts'
import type { KeyRequest } from '../bus/subjects.ts'

export const TIMEOUT_MS_DEFAULT = 5_000

export interface RequestRules {
  readonly shardCount: number
  readonly valueBytesMax: number
}

export type ReadRequest =
  | { readonly ok: true; readonly request: Omit<ClientRequest, 'ticket' | 'policy'>; readonly trace?: TraceContext }
  /** `isOwn`: by a limit of this process, so that another which is asked the same may do it. */
  | { readonly ok: false; readonly status: StatusName; readonly message: string; readonly isOwn: boolean }

const codes: ReadonlyMap<string, OpCode> = new Map([
  ['get', OpCode.get], ['put', OpCode.put], ['del', OpCode.del], ['incr', OpCode.incr], ['touch', OpCode.touch],
])

/** Copies the payload: `inbound.data` belongs to the transport. */
export const readRequest = (subject: KeyRequest, inbound: Inbound, rules: RequestRules): ReadRequest => {
  const code = codes.get(subject.op)
  if (code === undefined) return refuse('INVALID', `"${subject.op}" is not an operation: use ${[...codes.keys()].join(', ')}`)
  const shard = shardOf(subject.hashToken, rules.shardCount)
  if (subject.slot !== undefined && subject.slot !== shard) {
    const where = `this key belongs to shard ${shard} of ${rules.shardCount}, not ${subject.slot}`
    return refuse('INVALID', `${where}: the broker's mapping is for another shard count`)
  }
  const bytes = inbound.data.length
  if (bytes > rules.valueBytesMax) {
    return refuse('TOO_LARGE', `the value has ${bytes} bytes: the limit is ${rules.valueBytesMax}`, bytes <= VALUE_BYTES_MAX)
  }
  const parsed = parseRequestHeaders(inbound.headers)
  if (!parsed.ok) return refuse('INVALID', parsed.reason)
  const { headers } = parsed
  if (headers.consistency !== undefined && !isRead(code)) return refuse('INVALID', 'only a read takes Kv-Consistency')
  return {
    ok: true,
    ...(headers.trace === undefined ? {} : { trace: headers.trace }),
    request: {
      shard,
      consistency: headers.consistency ?? 'linearizable',
      operation: operationOf(code, { subject, inbound, headers }),
      timeoutMs: headers.timeoutMs ?? TIMEOUT_MS_DEFAULT,
    },
  }
}

interface Source {
  readonly subject: KeyRequest
  readonly inbound: Inbound
  readonly headers: RequestHeaders
}

const operationOf = (code: OpCode, { subject, inbound, headers }: Source): Operation => ({
  code,
  key: subject.key,
  ...(code === OpCode.put || inbound.data.length > 0 ? { value: inbound.data.slice() } : {}),
  ...(headers.ifRevision === undefined ? {} : { ifRevision: headers.ifRevision }),
  ...(headers.ttlMs === undefined ? {} : { ttlMs: headers.ttlMs }),
  ...(headers.session === undefined ? {} : { session: headers.session }),
  ...(headers.requestId === undefined ? {} : { requestId: headers.requestId }),
})

const refuse = (status: StatusName, message: string, isOwn = false): ReadRequest => ({ ok: false, status, message, isOwn })
