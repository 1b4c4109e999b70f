/** The keys of an mget, mput or mdel, each an operation of its own, as many at a time as the connection's gate lets through. */

import { ShardKvError } from './errors.ts'
import type { Gate } from './gate.ts'
import type { Key } from './keyName.ts'
import type { Outcome } from './outcome.ts'

export interface EachPorts<Item, Result> {
  readonly gate: Gate
  /** Of all calls of the connection, now. */
  readonly bytesInFlight: () => number
  readonly keyOf: (item: Item) => Key
  readonly perform: (item: Item) => Promise<Result>
}

/** Rejects only for a bug, or for what a getter of an entry throws; no further key leaves then. */
export const performEach = <Item, Result>(items: readonly Item[], ports: EachPorts<Item, Result>): Promise<Outcome<Result>[]> =>
  new Promise((resolve, reject) => {
    const { gate, bytesInFlight } = ports
    const outcomes: Outcome<Result>[] = []
    let started = 0
    let open = items.length
    let isOver = false

    const over = (settle: () => void): void => {
      if (isOver) return
      isOver = true
      gate.end()
      settle()
    }
    const fail = (error: unknown): void => { over(() => { reject(error) }) }
    const finish = (): void => { over(() => { resolve(outcomes) }) }
    const start = (position: number): void => {
      // Undefined is what a careless caller may have in it.
      const item = items[position] as Item
      const key = ports.keyOf(item)
      const before = bytesInFlight()
      const performed = ports.perform(item)
      // Nothing else runs in between: this is what the call added.
      const bytes = bytesInFlight() - before
      gate.take(bytes)
      const end = (outcome: Outcome<Result>): void => {
        outcomes[position] = outcome
        open -= 1
        gate.free(bytes)
        if (open === 0) finish()
      }
      performed.then((result) => { end({ ok: true, key, result }) }, (error: unknown) => {
        if (error instanceof ShardKvError) {
          end({ ok: false, key, error })
          return
        }
        gate.free(bytes)
        fail(error)
      })
    }
    const mayStart = (): boolean => !isOver && started < items.length
    const next = (): void => {
      try {
        while (mayStart()) {
          if (!gate.hasRoom()) {
            gate.wait(next)
            return
          }
          started += 1
          start(started - 1)
        }
      } catch (error) {
        fail(error)
      }
    }
    gate.begin()
    if (open === 0) finish()
    else next()
  })
