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

/** Keys of all mgets, mputs and mdels of a connection that are in flight at a time; and never above their share of its limits. */
export const MULTI_OPERATIONS_MAX = 4_096
/** What they take of the connection's limits at most, in operations and in bytes: single calls beside them find room. */
export const MULTI_SHARE = 0.25

/** How often retries that are due are looked for, in milliseconds, while anything is in flight. */
export const TICK_MS = 10
/** How often deadlines are looked at, in ticks: a timeout is late by so much at most. */
export const SWEEP_TICKS = 5
/** A tick that is late by so much judges nothing: what came meanwhile is read first, in milliseconds. */
export const SLEEP_MS_MIN = 100

/** An operation that was sent so long ago holds no other back (pacing.ts), in milliseconds. */
export const PACE_MS_MAX = 20

/**
 * Bytes of keys and values that one node was sent and has not answered; more waits in the SDK, in order. It keeps a node busy that takes
 * 100 MB a second and answers after 20 ms, and is what a node that takes 1 MB a second answers in two seconds.
 */
export const LINK_BYTES_MAX = 2 * 1_024 * 1_024
/** A node that was sent nothing for so long is sent a little more, in milliseconds: one shard may answer while another does not. */
export const LINK_PROBE_MS = 500
/** So many bytes, or one call that is larger. */
export const LINK_PROBE_BYTES = 64 * 1_024

/** How long a node may keep one batch, in milliseconds. Shorter finds lost batches sooner; longer sends fewer of them twice. */
export const ATTEMPT_MS_MAX = 2_000
/** So much longer for what it was sent before and with it: bytes a millisecond that the slowest node worth waiting for takes. */
export const ATTEMPT_BYTES_PER_MS = 1_024
/** What the broker has not confirmed above so many bytes may still be in this process: the time of an attempt begins when it has left. */
export const UNCONFIRMED_BYTES_MAX = 256 * 1_024
/** How long an answer that comes after its time is still taken for what it is, in milliseconds. */
export const LATE_MS_MAX = 5_000
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
/** The same where a node says that it is overloaded: it leads, as a rule, and to make maps for everybody is what it lacks the time for. */
export const MAP_EVERY_MS_OVERLOADED = 1_000
export const MAP_TIMEOUT_MS = 500

/** How long `close` waits for the cluster to forget this client's sessions, in milliseconds. */
export const FAREWELL_MS_MAX = 1_000
