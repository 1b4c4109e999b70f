/**
 * What a haunted node process is told from outside. Nothing of this is in the product: the process is started with
 * `--import chaos/inside/main.js`, which listens.
 */

export type Order =
  /** The event loop stands still: a collection, a swap, somebody's endless loop. */
  | { readonly order: 'block'; readonly ms: number }
  /** The next syncs of any file fail with EIO. */
  | { readonly order: 'failSyncs'; readonly count: number }
  /** Every write fails with this code until told otherwise; null: they work again. */
  | { readonly order: 'failWrites'; readonly code: 'ENOSPC' | 'EIO' | null }
  /** Every sync takes so much longer; 0: as long as it takes. */
  | { readonly order: 'slowSyncs'; readonly ms: number }
  /** The wall clock is off by so much from now on. */
  | { readonly order: 'offsetClock'; readonly ms: number }

export interface Spell {
  failingSyncs: number
  failingWrites: 'ENOSPC' | 'EIO' | null
  slowSyncsMs: number
  clockOffsetMs: number
}

/** What holds in this process now. */
export const spell: Spell = { failingSyncs: 0, failingWrites: null, slowSyncsMs: 0, clockOffsetMs: 0 }

export const obey = (order: Order): void => {
  switch (order.order) {
    case 'block': {
      // Atomics.wait sleeps: it takes the thread, not a core that others share.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, order.ms)
      return
    }
    case 'failSyncs':
      spell.failingSyncs = order.count
      return
    case 'failWrites':
      spell.failingWrites = order.code
      return
    case 'slowSyncs':
      spell.slowSyncsMs = order.ms
      return
    case 'offsetClock':
      spell.clockOffsetMs = order.ms
      return
  }
  order satisfies never
}
