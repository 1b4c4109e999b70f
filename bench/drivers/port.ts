/**
 * What a question asks of whoever answers: the SDK, the batch door, raw NATS requests or the floor. One promise per operation, as an
 * application would have it.
 */

import type { NatsOptions } from '../../bus/nats.ts'

/** How ShardKV can be asked; the first is the default. */
export const productDrivers = ['sdk', 'batch', 'requests'] as const
export type DriverName = (typeof productDrivers)[number] | 'floor'

/** `overloaded`: refused for now, certainly not done. `failed`: any other error, or no answer in time. */
export type Answer = 'ok' | 'overloaded' | 'failed'

export interface Driver {
  readonly put: (key: string, value: Buffer) => Promise<Answer>
  /** Linearizable. `ok` also when there is no such key. */
  readonly get: (key: string) => Promise<Answer>
  readonly close: () => Promise<void>
}

/** As whom to enter the broker, and under which inbox to hear answers there. */
export type DriverLogin = Pick<NatsOptions, 'user' | 'pass' | 'token' | 'creds' | 'nkeySeed' | 'tls' | 'inboxPrefix'>

export interface DriverTarget {
  readonly servers: readonly string[]
  /** The public prefix of the cluster. */
  readonly prefix: string
  /** Absent where the broker lets everybody in. Never on a command line (clientOrder.ts). */
  readonly login?: DriverLogin
}
