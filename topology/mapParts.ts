/** The parts of a node that talk about the cluster map: what it answers at the desk, and what it asks there. Decides nothing. */

import { createMapSync } from './mapSync.ts'
import { createOwnMembership } from './ownMembership.ts'
import { createProposals } from './proposals.ts'
import { createTopologyAnswers } from './topologyAnswers.ts'
import { createTopologyDesk } from './topologyDesk.ts'
import type { LiveMap } from './liveMap.ts'
import type { NodeOptions } from './nodeOptions.ts'
import type { NodeParts } from './nodeParts.ts'
import type { NodeId, ShardId } from './ids.ts'

export interface MapParts {
  readonly onTick: (now: number) => void
  /** A peer's beacon says which map is in force there. */
  readonly heardEpoch: (from: NodeId, epoch: number) => void
  readonly counters: () => Readonly<Record<string, number>>
  readonly stop: () => void
}

export interface MapPartsOptions {
  readonly node: NodeOptions
  readonly live: LiveMap
  readonly parts: NodeParts
  /** The replica here is to leave its group, which it leads. */
  readonly leave: (shard: ShardId) => void
  readonly onMember: () => void
  readonly onLeft: () => void
  readonly onRefused: (reason: string) => void
}

export const createMapParts = (options: MapPartsOptions): MapParts => {
  const { node, live, parts, leave, onMember, onLeft, onRefused } = options
  const { genesis, ports, settings } = node
  const log = ports.log.child({ actor: 'topology' })
  const desk = createTopologyDesk({
    bus: ports.controlBus,
    clock: ports.clock,
    log,
    cluster: genesis.cluster,
    self: genesis.node,
    inboxPrefix: settings.inboxPrefix,
    answer: createTopologyAnswers({
      genesis, live,
      raftOf: (group) => parts.host.of(group)?.raft,
      leave: (group) => leave(group as ShardId),
    }),
  })
  const sync = createMapSync({ live, desk, log })
  const proposals = createProposals({ live, clock: ports.clock, ask: desk.ask })
  const membership = createOwnMembership({
    self: genesis.node, boot: node.boot, live, proposals, join: node.join ?? null, wall: ports.clock.wall,
    carriesNothing: parts.host.isEmpty, onMember, onLeft, onRefused,
  })
  return {
    onTick: membership.onTick,
    heardEpoch: sync.heard,
    counters: desk.counters,
    stop: () => {
      desk.stop()
      proposals.stop()
    },
  }
}
