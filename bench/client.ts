/**
 * The measuring client, as a process of its own: node client.js '<ClientTask as JSON>' (clientOrder.ts); prints its figures as JSON. A
 * fresh process for every run, so that no run inherits another's heap and compiled code, and so that its CPU time is its own. Where nobody
 * is there to be measured it says so in a line, and ends as the command line does.
 */

import { createRandom } from '../actors/kernel/random.ts'
import { refusedConnection } from '../bus/refusedConnection.ts'
import { ExitCode } from '../cli/exit.ts'
import { taskOf } from './clientOrder.ts'
import { connectDriver } from './drivers/connect.ts'
import { createWorkload } from './load/workload.ts'
import { runClosedLoop } from './load/closedLoop.ts'
import { runOpenLoop } from './load/openLoop.ts'
import { runFill } from './load/fill.ts'
import type { Driver } from './drivers/port.ts'
import type { FloodFigures } from './load/flood.ts'
import type { WorkloadSpec } from './load/workload.ts'
import type { Measurement } from './load/measurement.ts'
import type { ClientTask, MeasuredLoop } from './clientTask.ts'

const run = async ({ driver: name, target, workload, loop }: ClientTask): Promise<Measurement | FloodFigures> => {
  const random = createRandom(workload.seed)
  if (loop.kind === 'flood') return await (await import('./load/flood.ts')).runFlood(target, { workload, flood: loop, random })
  const driver = await connectDriver(name, target).catch(endUnconnected)
  const measurement = await measure(driver, workload, loop)
  await driver.close()
  return measurement
}

const endUnconnected = (error: unknown): never => {
  process.stderr.write(`${refusedConnection(error).reason}\n`)
  process.exit(ExitCode.unavailable)
}

const measure = (driver: Driver, workload: WorkloadSpec, loop: MeasuredLoop): Promise<Measurement> => {
  switch (loop.kind) {
    case 'fill': return runFill(driver, workload, loop)
    case 'closed': return runClosedLoop(createWorkload(driver, workload), loop)
    case 'open': return runOpenLoop(createWorkload(driver, workload), loop, createRandom(workload.seed))
  }
}

const figures = await run(taskOf(process.argv[2] ?? '', process.env))
process.stdout.write(`${JSON.stringify(figures)}\n`)
process.exit()
