/** The cluster's status for a person. */

import pc from 'picocolors'
import { tabbed } from '../output.ts'
import { table } from '../table.ts'
import type { ClusterStatus, ReplicaStatus, ShardStatus } from './merge.ts'

export const statusTable = (status: ClusterStatus, useColor: boolean): string => {
  const color = pc.createColors(useColor)
  const { broker } = status
  const routing = broker.routing === 'broker' ? 'the broker' : color.yellow(broker.routing)
  const lines = [
    `cluster ${status.cluster}, epoch ${status.epoch}, ${status.shardCount} shards`,
    `broker ${broker.url}, nats-server ${broker.version}, routing by ${routing}`,
    '',
    table(['NODE', 'STATE', 'LEADS', 'PID', 'BOOT'], status.nodes.map(({ id, state, pid, bootId }) => [
      id,
      state === 'serving' ? color.green(state) : color.red(state),
      String(status.shards.filter(({ leader }) => leader === id).length),
      String(pid ?? '-'),
      bootId ?? '-',
    ])),
    '',
    table(['SHARD', 'LEADER', 'TERM', 'COMMIT', 'APPLIED', 'REPLICAS (durable index)'], status.shards.map((shard) => [
      String(shard.id),
      shard.leader ?? color.red('none'),
      String(shard.term),
      String(shard.commitIndex),
      String(shard.appliedIndex),
      shard.replicas.map((replica) => replicaText(shard, replica)).join('  '),
    ])),
  ]
  return lines.join('\n')
}

const replicaText = (shard: ShardStatus, { node, role, matchIndex, quarantined }: ReplicaStatus): string => {
  const state = quarantined === undefined ? role : 'quarantined'
  const note = state === 'follower' || state === 'leader' ? '' : ` ${state}`
  const behind = matchIndex === null ? '?' : String(matchIndex)
  return `${node}${node === shard.leader ? '*' : ''}${note} ${behind}`
}

/** One line a shard, for scripts: shard, leader (or -), term, commit index, applied index, then node=durable index. */
export const statusLines = (status: ClusterStatus): string => tabbed(status.shards.map((shard) => [
  shard.id, shard.leader ?? '-', shard.term, shard.commitIndex, shard.appliedIndex,
  ...shard.replicas.map(({ node, matchIndex }) => `${node}=${matchIndex ?? '?'}`),
]))
