/**
 * Many keys at once: each is an operation of its own with an outcome of its own, and they travel in one frame for each node.
 *
 *   node examples/many-keys.mjs
 */

import { connect, resultsOf, text } from 'shardkv'

const kv = (await connect({ servers: process.env.SHARDKV_SERVERS ?? 'nats://127.0.0.1:4222' })).withCodec(text)
const keys = Array.from({ length: 1_000 }, (_, i) => `example/key-${i}`)
try {
  resultsOf(await kv.mput(keys.map((key) => [key, `value of ${key}`])))
  const entries = resultsOf(await kv.mget([...keys, 'example/absent']))
  console.log('read', entries.filter((entry) => entry !== null).length, 'absent', entries.filter((entry) => entry === null).length)

  const outcomes = await kv.mput([{ key: 'example/key-0', value: 'new', ifRevision: 0 }, { key: 'example/other', value: 'x' }])
  for (const outcome of outcomes) console.log(outcome.key, outcome.ok ? 'written' : outcome.error.code)

  const deleted = resultsOf(await kv.mdel([...keys, 'example/other']))
  console.log('deleted', deleted.filter((written) => written !== null).length)
  const { batches, operations } = kv.stats()
  console.log('fewer frames than operations', batches < operations / 5)
} finally {
  await kv.close()
}
