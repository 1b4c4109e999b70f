/**
 * The TypeScript SDK of ShardKV, and the package's main entry.
 *
 *   connect ─▶ Kv (kv.ts) ─▶ Call (call.ts) ─▶ client.ts: lane ─▶ link ─▶ broker ─▶ the leader's batch door
 *
 * docs/SDK.md describes options, errors, guarantees and limits. Nothing beyond `nats` is loaded.
 */

export { connect } from './connect.ts'
export { bytes, json, text } from './codec.ts'
export { resultsOf } from './outcome.ts'
export {
  AbortError, ClosedError, CodecError, ConflictError, InternalError, InvalidError, NoSpaceError, OverloadedError,
  RequestIdReusedError, SessionExpiredError, ShardKvError, TimeoutError, TooLargeError, UnauthorizedError, UnavailableError,
} from './errors.ts'
export type { ConnectOptions, ConnectWithCodec, Tls } from './connect.ts'
export type { Consistency } from '../actors/shard/operation.ts'
export type { Codec } from './codec.ts'
export type { ErrorCode, ErrorDetails } from './errors.ts'
export type { Counted, Entry, Kv, Written } from './kv.ts'
export type { Key, Keys } from './keyName.ts'
export type { CallOptions, CloseOptions, DeleteOptions, IncrementOptions, PutEntry, PutOptions, ReadOptions } from './options.ts'
export type { Outcome } from './outcome.ts'
export type { Stats } from './client.ts'
