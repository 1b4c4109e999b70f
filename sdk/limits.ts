/**
 * The limits and times of one connection. Every queue of the SDK is bounded by one of them; above it a call is refused with
 * OverloadedError at once, so that memory never grows with what the cluster can not take.
 */

import { SESSION_RESULTS_MAX } from '../actors/shard/operation.ts'

/** Operations of one connection that have no result yet, waiting ones included. */
export const IN_FLIGHT_OPERATIONS_MAX = 16_384
/** Their keys and values, in bytes. */
export const IN_FLIGHT_BYTES_MAX = 64 * 1_024 * 1_024
/** What a refused caller is told to wait, in milliseconds. */
export const RETRY_AFTER_MS = 20

/** Writes of one session whose result the caller does not know; the shard remembers as many results. More wait for their turn. */
export const SESSION_WINDOW = SESSION_RESULTS_MAX
/** A session that was not used for so long is left to end by itself, well before the cluster would end it (600 s), in milliseconds. */
export const SESSION_REST_MS = 240_000
/** The longest timeout of a call, in milliseconds: together with SESSION_REST_MS below the life of an idle session. */
export const TIMEOUT_MS_MAX = 300_000
export const TIMEOUT_MS_DEFAULT = 5_000

/** Keys of one mget, mput or mdel that are in flight at a time. */
export const MULTI_OPERATIONS_MAX = 4_096

/** How often retries that are due are looked for, in milliseconds, while anything is in flight. */
export const TICK_MS = 10
/** How often deadlines are looked at, in ticks: a timeout is late by so much at most. */
export const SWEEP_TICKS = 5

/** An operation that was sent so long ago holds no other back (pacing.ts), in milliseconds. */
export const PACE_MS_MAX = 20

/** How long a node may keep one batch, in milliseconds. Shorter finds lost batches sooner; longer sends fewer of them twice. */
export const ATTEMPT_MS_MAX = 2_000
/** How long the answer to that may be on its way, in milliseconds. */
export const ATTEMPT_GRACE_MS = 250
/** A node that owes answers and says nothing for so long is asked for a sign of life, in milliseconds. */
export const QUIET_MS_MAX = 300
/** How long a node may take for a welcome or a sign of life, in milliseconds. */
export const SIGN_OF_LIFE_MS_MAX = 1_000
/** A door session that sent nothing for so long is opened again: the node closes it after 30 s. In milliseconds. */
export const DOOR_IDLE_MS = 25_000

/** Pauses before a repetition, in milliseconds, drawn from nothing up to a maximum that doubles. */
export const BACKOFF_MS_FIRST = 10
export const BACKOFF_MS_MAX = 250

/** At least so long between two fetches of the map, and up to twice as long, in milliseconds. */
export const MAP_EVERY_MS = 50
export const MAP_TIMEOUT_MS = 500

/** How long `close` waits for the cluster to forget this client's sessions, in milliseconds. */
export const FAREWELL_MS_MAX = 1_000
