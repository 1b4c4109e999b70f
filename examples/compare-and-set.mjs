/**
 * Read, decide, write, and begin again when somebody was faster: ten writers add to one list, and none of them is lost.
 *
 *   node examples/compare-and-set.mjs
 */

import { ConflictError, connect, json } from 'shardkv'

const kv = (await connect({ servers: process.env.SHARDKV_SERVERS ?? 'nats://127.0.0.1:4222' })).withCodec(json())

const append = async (key, item) => {
  for (;;) {
    const found = await kv.get(key)
    try {
      return await kv.cas(key, found?.revision ?? 0, [...(found?.value ?? []), item])
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error
    }
  }
}

try {
  await kv.del('example/list')
  await Promise.all(Array.from({ length: 10 }, (_, i) => append('example/list', i)))
  const { value } = await kv.get('example/list')
  console.log('list', value.toSorted((a, b) => a - b).join(' '))
} finally {
  await kv.close()
}
