/**
 * Values in and out: bytes, text and JSON, with a time to live and a partition.
 *
 *   npm start                      # in one terminal
 *   node examples/basics.mjs       # in another
 */

import { connect, json, text } from 'shardkv'

const kv = await connect({ servers: process.env.SHARDKV_SERVERS ?? 'nats://127.0.0.1:4222' })
try {
  await kv.put('example/bytes', Uint8Array.of(1, 2, 3))
  console.log('bytes', (await kv.get('example/bytes'))?.value)

  const words = kv.withCodec(text)
  await words.put('example/greeting', 'hello', { ttlMs: 60_000 })
  console.log('text', (await words.get('example/greeting'))?.value)

  const users = kv.withCodec(json())
  await users.put('profile', { name: 'Ada' }, { partition: 'user42' })
  await users.put('settings', { theme: 'dark' }, { partition: 'user42' })
  console.log('json', (await users.get('profile', { partition: 'user42' }))?.value)

  console.log('deleted', (await kv.del('example/bytes')) !== null)
  console.log('gone', await kv.get('example/bytes'))
} finally {
  await kv.close()
}
