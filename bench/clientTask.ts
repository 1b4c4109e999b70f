/** What one measuring client is asked to do, and the asking: a process of its own for each run (client.ts). */

import { fileURLToPath } from 'node:url'
import { createMachineHost } from '../topology/launcher/machineHost.ts'
import type { DriverName, DriverTarget } from './drivers/port.ts'
import type { ClosedLoop } from './load/closedLoop.ts'
import type { Fill } from './load/fill.ts'
import type { OpenLoop } from './load/openLoop.ts'
import type { Measurement } from './load/measurement.ts'
import type { WorkloadSpec } from './load/workload.ts'

export interface ClientTask {
  readonly driver: DriverName
  readonly target: DriverTarget
  readonly workload: WorkloadSpec
  readonly loop: ({ readonly kind: 'closed' } & ClosedLoop) | ({ readonly kind: 'open' } & OpenLoop)
    | ({ readonly kind: 'fill'; readonly warmUpMs: 0; readonly durationMs: number } & Fill)
}

/** What a client may take beyond its warm-up and its run. */
const CLIENT_GRACE_MS = 60_000
export const OWN_CLIENT = fileURLToPath(new URL('client.js', import.meta.url))

/** Runs one client to its end; `program` may be another build's client.js. Throws with what it said when it gives no figures. */
export const runClient = async (task: ClientTask, program: string = OWN_CLIENT): Promise<Measurement> => {
  const timeoutMs = task.loop.warmUpMs + task.loop.durationMs + CLIENT_GRACE_MS
  const { code, output } = await createMachineHost().run(process.execPath, [program, JSON.stringify(task)], { timeoutMs })
  const last = output.trim().split('\n').at(-1) ?? ''
  if (code !== 0 || !last.startsWith('{')) throw new Error(`the measuring client ended with ${code}: ${output}`)
  return JSON.parse(last) as Measurement
}
