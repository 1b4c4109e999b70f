/** What one measuring client is asked to do, and the asking: a process of its own for each run (client.ts). */

import { fileURLToPath } from 'node:url'
import { createMachineHost } from '../topology/launcher/machineHost.ts'
import { CliError, ExitCode } from '../cli/exit.ts'
import { orderOf } from './clientOrder.ts'
import type { RunOptions } from '../topology/launcher/machineHost.ts'
import type { DriverName, DriverTarget } from './drivers/port.ts'
import type { ClosedLoop } from './load/closedLoop.ts'
import type { Fill } from './load/fill.ts'
import type { Flood, FloodFigures } from './load/flood.ts'
import type { OpenLoop } from './load/openLoop.ts'
import type { Measurement } from './load/measurement.ts'
import type { WorkloadSpec } from './load/workload.ts'

export interface ClientTask {
  readonly driver: DriverName
  readonly target: DriverTarget
  readonly workload: WorkloadSpec
  readonly loop: MeasuredLoop | ({ readonly kind: 'flood' } & Flood)
}

/** Loops that give a Measurement. */
export type MeasuredLoop =
  | ({ readonly kind: 'closed' } & ClosedLoop)
  | ({ readonly kind: 'open' } & OpenLoop)
  | ({ readonly kind: 'fill'; readonly warmUpMs: 0; readonly durationMs: number } & Fill)

/** What a client may take beyond its warm-up and its run. */
const CLIENT_GRACE_MS = 60_000
const OWN_CLIENT = fileURLToPath(new URL('client.js', import.meta.url))

/** Runs one client to its end; `program` may be another build's client.js. Throws with what it said when it gives no figures. */
export const runClient = async (task: ClientTask & { readonly loop: MeasuredLoop }, program: string = OWN_CLIENT): Promise<Measurement> =>
  await runToEnd(task, program) as Measurement

export const runFloodClient = async (task: ClientTask & { readonly loop: { readonly kind: 'flood' } }): Promise<FloodFigures> =>
  await runToEnd(task, OWN_CLIENT) as FloodFigures

const runToEnd = async (task: ClientTask, program: string): Promise<unknown> => {
  const timeoutMs = task.loop.warmUpMs + task.loop.durationMs + CLIENT_GRACE_MS
  const { argument, env } = orderOf(task)
  return await figuresOf('the measuring client', process.execPath, { args: [program, argument], timeoutMs, env })
}

/** Runs a program to its end; its last line is JSON. One that finds nobody to measure ends as the command line does, and has said why. */
export const figuresOf = async (
  name: string, program: string, { args, ...options }: RunOptions & { readonly args: readonly string[] },
): Promise<unknown> => {
  const { code, output } = await createMachineHost().run(program, args, options)
  if (code === ExitCode.unavailable) throw new CliError(ExitCode.unavailable, output.trim())
  const last = output.trim().split('\n').at(-1) ?? ''
  if (code !== 0 || !last.startsWith('{')) throw new Error(`${name} ended with ${code}: ${output}`)
  return JSON.parse(last)
}
