/** A rate limit: tokens come back steadily up to a burst, each request takes one. */

export interface TokenBucket {
  tokens: number
  refilledAt: number
}

export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export const openTokenBucket = (rate: Rate, now: number): TokenBucket => ({ tokens: rate.burst, refilledAt: now })

/** 0 when a token was taken; otherwise the whole milliseconds until there is one. */
export const takeToken = (bucket: TokenBucket, rate: Rate, now: number): number => {
  const elapsedMs = Math.max(0, now - bucket.refilledAt)
  bucket.tokens = Math.min(rate.burst, bucket.tokens + elapsedMs * rate.perSecond / 1_000)
  bucket.refilledAt = now
  if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) * 1_000 / rate.perSecond)
  bucket.tokens -= 1
  return 0
}
