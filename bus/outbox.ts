/**
 * What a connection has published and the broker has not yet confirmed, in bytes: the bound nats.js does not have.
 *
 * A ping follows at the latest CONFIRM_INTERVAL_MS after a publish, or once CONFIRM_BYTES are unconfirmed; its pong covers everything
 * published before it, since the broker reads one connection in order. A lost connection voids the account: what was on its way
 * is gone, and nobody waits for it.
 */

/** Bytes published and not confirmed: above it `publish` answers `full`. nats-server allows a client 64 MiB the other way. */
const OUTBOX_BYTES_MAX = 32 * 1_024 * 1_024
const CONFIRM_BYTES = 128 * 1_024
const CONFIRM_INTERVAL_MS = 500

export interface Outbox {
  readonly hasRoom: (bytes: number) => boolean
  readonly published: (bytes: number) => void
  readonly outstandingBytes: () => number
  readonly bytesMax: number
  readonly roundTripMs: () => number | undefined
  readonly flush: (done: (error: Error | null) => void) => void
  /** The connection is gone, and with it everything unconfirmed. */
  readonly reset: () => void
  readonly stop: () => void
}

/** `roundTrip` pings the broker: it resolves with the pong, and rejects when the connection is lost or closed. */
export const createOutbox = (roundTrip: () => Promise<void>, bytesMax = OUTBOX_BYTES_MAX): Outbox => {
  let publishedBytes = 0
  let confirmedBytes = 0
  let epoch = 0
  let isConfirming = false
  let timer: NodeJS.Timeout | undefined
  let roundTripMs: number | undefined

  const stopTimer = (): void => {
    clearTimeout(timer)
    timer = undefined
  }
  const ping = (): Promise<void> => {
    const covered = publishedBytes
    const startedIn = epoch
    const startedAt = performance.now()
    return roundTrip().then(() => {
      roundTripMs = performance.now() - startedAt
      if (epoch === startedIn) confirmedBytes = Math.max(confirmedBytes, covered)
    })
  }
  const confirm = (): void => {
    stopTimer()
    if (isConfirming) return
    isConfirming = true
    void ping().catch(() => {}).then(() => {
      isConfirming = false
      ask()
    })
  }
  /** At once when much is unconfirmed, or a full outbox would stay full for an interval. */
  const ask = (): void => {
    const unconfirmed = publishedBytes - confirmedBytes
    if (unconfirmed >= CONFIRM_BYTES) confirm()
    else if (unconfirmed > 0) timer ??= setTimeout(confirm, CONFIRM_INTERVAL_MS)
  }
  return {
    hasRoom: (bytes) => publishedBytes - confirmedBytes + bytes <= bytesMax,
    published: (bytes) => {
      publishedBytes += bytes
      if (!isConfirming) ask()
    },
    outstandingBytes: () => publishedBytes - confirmedBytes,
    bytesMax,
    roundTripMs: () => roundTripMs,
    flush: (settle) => void ping().then(() => settle(null), (error: Error) => settle(error)),
    reset: () => {
      epoch += 1
      confirmedBytes = publishedBytes
      stopTimer()
    },
    stop: stopTimer,
  }
}
