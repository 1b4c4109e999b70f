/**
 * Counters that count once. Every write carries a request id of a session that the shard keeps with its data, so an increment that
 * had to be sent three times because its leader was killed is counted one time. Kill a node while this runs and look at the sum.
 *
 *   node examples/counters.mjs 100000
 */

import { connect } from 'shardkv'

const count = Number(process.argv[2] ?? 1_000)
const kv = await connect({ servers: process.env.SHARDKV_SERVERS ?? 'nats://127.0.0.1:4222' })
try {
  await kv.del('example/visits')
  let next = 0
  const visitor = async () => {
    while (next < count) {
      next += 1
      await kv.incr('example/visits')
    }
  }
  await Promise.all(Array.from({ length: 64 }, visitor))
  const { value } = await kv.incr('example/visits', 0)
  console.log(`counted ${value} of ${count}, exactly once: ${value === BigInt(count)}`)
} finally {
  await kv.close()
}
