/** The floor as a target: one nats-server and three floor nodes (bench/floor). */

import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brokerEnvironment } from '../../topology/launcher/brokerShare.ts'
import { runClient } from '../clientTask.ts'
import { FLOOR_NODES, FLOOR_READY_LINE } from '../floor/layout.ts'
import { createChildGroup } from './children.ts'
import { freePorts } from './freePorts.ts'
import { serverPath } from './broker.ts'
import type { Target } from './port.ts'

const NODE_PROGRAM = fileURLToPath(new URL('../floor/node.js', import.meta.url))

export const startFloor = async (): Promise<Target> => {
  const [port] = await freePorts(1)
  const group = await createChildGroup('floor')
  try {
    const broker = await group.start([{
      name: 'nats-server',
      program: await serverPath(),
      args: ['-a', '127.0.0.1', '-p', String(port)],
      readyLine: 'Server is ready',
      env: brokerEnvironment(process.env, availableParallelism(), FLOOR_NODES),
      isGuarded: true,
    }])
    const url = `nats://127.0.0.1:${port}`
    const nodes = await group.start(Array.from({ length: FLOOR_NODES }, (_, n) => ({
      name: `n${n}`,
      program: process.execPath,
      args: [NODE_PROGRAM, String(n), url, join(group.directory, `log-${n}`)],
      readyLine: FLOOR_READY_LINE,
      isGuarded: false,
    })))
    return {
      name: 'floor',
      ask: (workload, loop) => runClient({ driver: 'floor', target: { servers: [url], prefix: '' }, workload, loop }),
      pids: { ...broker, ...nodes },
      stop: group.stop,
    }
  } catch (error) {
    await group.stop()
    throw error
  }
}
