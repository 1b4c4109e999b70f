/** The SDK as its users have it. What it rejects is counted: in a cluster that only loses leaders, nothing may be. */

import { ConflictError, ShardKvError } from '../../sdk/index.ts'
import type { Kv } from '../../sdk/index.ts'
import type { Call, HistoryOperation, Outcome } from '../../sim/history.ts'
import type { NewWay } from './load.ts'

export const sdkOver = (kv: Kv<string>, rejections: string[]): NewWay => () => ({
  name: 'sdk',
  perform: async (key, call, consistency) => {
    try {
      return await outcomeOf(kv, { key, call, consistency })
    } catch (error) {
      if (error instanceof ConflictError) return { kind: 'answered', status: 'CONFLICT', revision: error.revision }
      rejections.push(String(error))
      return error instanceof ShardKvError && error.definite ? { kind: 'failed', status: error.code } : { kind: 'unknown' }
    }
  },
})

const notFound: Outcome = { kind: 'answered', status: 'NOT_FOUND', revision: 0 }

interface Asked {
  readonly key: string
  readonly call: Call
  readonly consistency: HistoryOperation['consistency']
}

const outcomeOf = async (kv: Kv<string>, { key, call, consistency }: Asked): Promise<Outcome> => {
  switch (call.kind) {
    case 'get': {
      const entry = await kv.get(key, { consistency })
      return entry === null ? notFound : { kind: 'answered', status: 'OK', revision: entry.revision, value: entry.value }
    }
    case 'put': return { kind: 'answered', status: 'OK', ...await kv.put(key, call.value, { ttlMs: call.ttlMs }) }
    case 'cas': return { kind: 'answered', status: 'OK', ...await kv.cas(key, call.ifRevision, call.value) }
    case 'del': {
      const written = await kv.del(key)
      return written === null ? notFound : { kind: 'answered', status: 'OK', ...written }
    }
    case 'touch': {
      const written = await kv.touch(key, call.ttlMs)
      return written === null ? notFound : { kind: 'answered', status: 'OK', ...written }
    }
    case 'incr': {
      const { value, revision } = await kv.incr(key, call.amount)
      return { kind: 'answered', status: 'OK', revision, value: String(value) }
    }
  }
  call satisfies never
  throw new Error('no such call')
}
