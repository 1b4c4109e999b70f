/** The simulated cluster as somebody who sees everything sees it: machines, groups, moves, and how the run stands. */

import { nodeIn } from '../../actors/topology/clusterState.ts'
import { nodeOf, shardId } from '../../topology/ids.ts'
import type { GroupSeen, MachineCondition, MachineSeen, ReplicaSeen, Scene } from '../../observe/simulator/protocol.ts'
import type { ClusterState, Move } from '../../actors/topology/clusterState.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Machine } from '../cluster.ts'
import type { Simulation } from '../simulation.ts'
import type { Verdicts } from './verdicts.ts'

export interface SceneInput {
  readonly simulation: Simulation
  readonly cuts: ReadonlySet<string>
  readonly verdicts: Verdicts
  readonly phase: Scene['phase']
}

export const sceneOf = ({ simulation, cuts, verdicts, phase }: SceneInput): Scene => {
  const { timeline, cluster, watch, workload, trace } = simulation
  const map = watch.newestMap()
  const living = cluster.machines.filter(({ node }) => node !== null).map(({ id }) => id)
  const violation = simulation.violation()
  return {
    now: timeline.now(),
    isEnded: phase === 'ended' || violation !== null,
    phase,
    machines: cluster.machines.map((machine): MachineSeen => ({
      node: machine.id,
      condition: conditionOf(machine, map),
      isCut: cuts.has(machine.id),
      suspectedBy: living.filter((by) => verdicts.of(by, machine.id) === 'suspect'),
      buriedBy: living.filter((by) => verdicts.of(by, machine.id) === 'dead'),
    })),
    groups: map.shards.map((placement, shard) => groupOf(simulation, { shard, placement })),
    events: timeline.events(),
    acknowledged: workload.acknowledged(),
    digest: trace.hash(),
    violation,
  }
}

const conditionOf = (machine: Machine, map: ClusterState): MachineCondition => {
  const state = nodeIn(map, machine.id)?.state
  if (machine.node === null) {
    if (state === 'left') return 'left'
    return machine.isInUse ? 'dead' : 'unused'
  }
  if (machine.process.state === 'paused') return 'paused'
  if (state === 'draining') return 'draining'
  return machine.node.state() === 'serving' ? 'running' : 'starting'
}

interface PlacedGroup {
  readonly shard: number
  readonly placement: { readonly replicas: readonly ReplicaId[]; readonly move: Move | null }
}

const groupOf = ({ cluster }: Simulation, { shard, placement: { replicas, move } }: PlacedGroup): GroupSeen => {
  const hosts = [...replicas, ...(move?.add === null || move?.add === undefined ? [] : [move.add])]
  const seen = hosts.map((replica): ReplicaSeen => {
    const node = nodeOf(replica)
    const hosted = cluster.machines.find(({ id }) => id === node)?.node?.parts()?.host.of(shardId(shard))
    if (hosted === undefined) return { node, role: 'away', term: 0 }
    const { role, term } = hosted.raft.status()
    return { node, role, term }
  })
  const leader = seen.filter(({ role }) => role === 'leader').toSorted((a, b) => b.term - a.term)[0]
  return {
    shard,
    leader: leader?.node ?? null,
    term: Math.max(0, ...seen.map(({ term }) => term)),
    replicas: seen,
    move: move === null ? null : { id: move.id, add: move.add, remove: move.remove, step: move.step },
  }
}
