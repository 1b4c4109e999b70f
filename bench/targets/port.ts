/** Something that answers questions: a cluster that was started for it, or one that runs already. */

import type { DriverName, DriverTarget } from '../drivers/port.ts'

export interface Target {
  /** In tables: `product`, `floor`. */
  readonly name: string
  readonly driver: DriverName
  readonly at: DriverTarget
  /** The program that asks, when it is another build's (client.js). */
  readonly clientProgram?: string
  /** Process ids of its servers by name, as far as they are known. */
  readonly pids: Readonly<Record<string, number>>
  /** Where its nodes keep their data; undefined for a cluster that runs already. */
  readonly directory?: string
  /** Stops what was started and removes its files. */
  readonly stop: () => Promise<void>
}
