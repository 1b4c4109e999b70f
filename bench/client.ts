/**
 * The measuring client, as a process of its own: node client.js '<ClientTask as JSON>'; prints one Measurement as JSON. A fresh process
 * for every run, so that no run inherits another's heap and compiled code, and so that its CPU time is its own.
 */

import { createRandom } from '../actors/kernel/random.ts'
import { connectDriver } from './drivers/connect.ts'
import { createWorkload } from './load/workload.ts'
import { runClosedLoop } from './load/closedLoop.ts'
import { runOpenLoop } from './load/openLoop.ts'
import { runFill } from './load/fill.ts'
import type { Driver } from './drivers/port.ts'
import type { Measurement } from './load/measurement.ts'
import type { ClientTask } from './clientTask.ts'

const measure = (driver: Driver, { workload, loop }: ClientTask): Promise<Measurement> => {
  switch (loop.kind) {
    case 'fill': return runFill(driver, workload, loop)
    case 'closed': return runClosedLoop(createWorkload(driver, workload), loop)
    case 'open': return runOpenLoop(createWorkload(driver, workload), loop, createRandom(workload.seed))
  }
}

const task = JSON.parse(process.argv[2] ?? '') as ClientTask
const driver = await connectDriver(task.driver, task.target)
process.stdout.write(`${JSON.stringify(await measure(driver, task))}\n`)
await driver.close()
process.exit()
