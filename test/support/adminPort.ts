/** Where a node of a test's cluster serves HTTP, as its log tells it. */

import { must } from '../../actors/kernel/assert.ts'
import { adminPortOf } from '../../chaos/ground/admin.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'
import type { NodeId } from '../../topology/ids.ts'

/** Of its newest process; throws when that has told none. */
export const portOf = (running: Pick<TestCluster, 'log'>, node: NodeId): number =>
  must(adminPortOf(running.log(node)), `the port of ${node}`)
