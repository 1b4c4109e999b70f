/** Something that answers questions: a cluster that was started for it, or one that runs already. */

import type { MeasuredLoop } from '../clientTask.ts'
import type { DriverName, DriverTarget } from '../drivers/port.ts'
import type { Measurement } from '../load/measurement.ts'
import type { WorkloadSpec } from '../load/workload.ts'

export interface Target {
  /** In tables: `product`, `floor`, `etcd`. */
  readonly name: string
  /** One run by a measuring client of its own process. */
  readonly ask: (workload: WorkloadSpec, loop: MeasuredLoop) => Promise<Measurement>
  /** Process ids of its servers by name, as far as they are known. */
  readonly pids: Readonly<Record<string, number>>
  /** Stops what was started and removes its files. */
  readonly stop: () => Promise<void>
}

export interface ProductTarget extends Target {
  readonly at: DriverTarget
  readonly driver: DriverName
  /** Where its nodes keep their data; undefined for a cluster that runs already. */
  readonly directory?: string
  /** Where its nodes serve the admin API; undefined for a cluster that runs already. */
  readonly admin?: readonly string[]
}
