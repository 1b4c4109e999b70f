/** The TypeScript SDK, as an application uses it: defaults everywhere, values as bytes. */

import { OverloadedError, connect } from '../../sdk/index.ts'
import type { Answer, Driver, DriverTarget } from './port.ts'

export const connectSdk = async ({ servers, prefix, login = {} }: DriverTarget): Promise<Driver> => {
  const { pass: password, ...rest } = login
  const kv = await connect({ ...rest, password, servers, prefix, name: 'shardkv bench/sdk' })
  return {
    put: (key, value) => kv.put(key, value).then(ok, answerOf),
    get: (key) => kv.get(key).then(ok, answerOf),
    close: () => kv.close(),
  }
}

const ok = (): Answer => 'ok'

const answerOf = (error: unknown): Answer => (error instanceof OverloadedError ? 'overloaded' : 'failed')
