/** A cluster for each test of a file, with a client connected, both ended after the test. */

import { afterEach } from '@jest/globals'
import { isServing, startTestCluster } from '../../chaos/ground/cluster.ts'
import type { Bus } from '../../bus/port.ts'
import type { TestCluster, TestClusterOptions } from '../../chaos/ground/cluster.ts'

/** A machine that others use, too, takes its time. */
const SERVED_WITHIN_MS = 180_000

export interface OpenCluster {
  readonly running: TestCluster
  readonly bus: Bus
}

export interface ClusterOfTest {
  /** Starts the cluster and waits until every shard is served. */
  readonly open: (options?: TestClusterOptions) => Promise<OpenCluster>
  /** Runs after the test, the last one first; the cluster stops after all that was given since it was opened. */
  readonly onEnd: (cleanUp: () => Promise<void> | void) => void
}

/** To be called once, at the top of a test file. */
export const clusterOfTest = (): ClusterOfTest => {
  const cleanUps: (() => Promise<void> | void)[] = []
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
  })
  return {
    open: async (options = {}) => {
      const running = await startTestCluster(options)
      cleanUps.push(running.stop)
      await running.until('every shard is served', isServing(running), SERVED_WITHIN_MS)
      const bus = await running.connect('test/client')
      cleanUps.push(bus.close)
      return { running, bus }
    },
    onEnd: (cleanUp) => { cleanUps.push(cleanUp) },
  }
}
