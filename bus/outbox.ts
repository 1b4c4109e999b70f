/**
 * What a connection has published and the broker has not yet confirmed, in bytes: the bound nats.js does not have.
 *
 * A ping follows once CONFIRM_BYTES are unconfirmed; less is covered by the pings that ask whether the broker is there (pulse.ts), since
 * nothing depends on it sooner. A pong covers everything published before its ping: the broker reads one connection in order. A lost
 * connection voids the account: what was on its way is gone, and nobody waits for it.
 */

/** Bytes published and not confirmed: above it `publish` answers `full`. nats-server allows a client 64 MiB the other way. */
const OUTBOX_BYTES_MAX = 32 * 1_024 * 1_024
const CONFIRM_BYTES = 128 * 1_024
/** What is larger leaves the rest to what is small: refusals and beacons get through where values do not. */
const SMALL_BYTES = 1_024
const LARGE_SHARE = 31 / 32

export interface Outbox {
  readonly hasRoom: (bytes: number) => boolean
  readonly published: (bytes: number) => void
  readonly outstandingBytes: () => number
  readonly bytesMax: number
  readonly roundTripMs: () => number | undefined
  /** Asks the broker; resolves when everything published before is confirmed, and rejects when the connection is lost or closed. */
  readonly ping: () => Promise<void>
  /** The connection is gone, and with it everything unconfirmed. */
  readonly reset: () => void
}

/** `roundTrip` pings the broker: it resolves with the pong, and rejects when the connection is lost or closed. */
export const createOutbox = (roundTrip: () => Promise<void>, bytesMax = OUTBOX_BYTES_MAX): Outbox => {
  let publishedBytes = 0
  let confirmedBytes = 0
  let epoch = 0
  let isConfirming = false
  let roundTripMs: number | undefined

  const ping = (): Promise<void> => {
    const covered = publishedBytes
    const startedIn = epoch
    const startedAt = performance.now()
    return roundTrip().then(() => {
      roundTripMs = performance.now() - startedAt
      if (epoch === startedIn) confirmedBytes = Math.max(confirmedBytes, covered)
    })
  }
  /** At once when much is unconfirmed, or a full outbox would stay full until the next beat. */
  const ask = (): void => {
    if (isConfirming || publishedBytes - confirmedBytes < CONFIRM_BYTES) return
    isConfirming = true
    void ping().catch(() => {}).then(() => {
      isConfirming = false
      ask()
    })
  }
  return {
    hasRoom: (bytes) => publishedBytes - confirmedBytes + bytes <= (bytes > SMALL_BYTES ? bytesMax * LARGE_SHARE : bytesMax),
    published: (bytes) => {
      publishedBytes += bytes
      ask()
    },
    outstandingBytes: () => publishedBytes - confirmedBytes,
    bytesMax,
    roundTripMs: () => roundTripMs,
    ping,
    reset: () => {
      epoch += 1
      confirmedBytes = publishedBytes
    },
  }
}
