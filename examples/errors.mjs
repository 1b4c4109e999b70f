/**
 * What can go wrong, and what to do: timeouts, signals, conflicts, limits. `definite` decides: true, it certainly had no effect.
 *
 *   node examples/errors.mjs
 */

import { ConflictError, ShardKvError, connect, text } from 'shardkv'

const kv = (await connect({ servers: process.env.SHARDKV_SERVERS ?? 'nats://127.0.0.1:4222', inFlightOperationsMax: 100 })).withCodec(text)

const attempt = async (what, work) => {
  try {
    await work()
    console.log(what, 'worked')
  } catch (error) {
    if (!(error instanceof ShardKvError)) throw error
    console.log(what, error.code, error.definite ? 'definite' : 'read before you write again')
  }
}

try {
  await attempt('an empty key', () => kv.put('', 'x'))
  await attempt('a value above the limit', () => kv.put('example/big', 'x'.repeat(600_000)))
  await attempt('a signal', () => kv.put('example/aborted', 'x', { signal: AbortSignal.abort() }))
  await attempt('too many at once', async () => {
    const results = await Promise.allSettled(Array.from({ length: 101 }, () => kv.get('example/any')))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  })
  await kv.put('example/once', 'first')
  try {
    await kv.put('example/once', 'second', { ifRevision: 0 })
  } catch (error) {
    console.log('the key is there already', error instanceof ConflictError && error.revision > 0)
  }
} finally {
  await kv.close()
  await attempt('a closed connection', () => kv.get('example/once'))
}
