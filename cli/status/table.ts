/** The cluster's status for a person. */

import Table from 'cli-table3'
import pc from 'picocolors'
import type { ClusterStatus, ReplicaStatus, ShardStatus } from './merge.ts'

const plainFrame = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ',
}

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
  return `${lines.join('\n')}\n`
}

const replicaText = (shard: ShardStatus, { node, role, matchIndex, quarantined }: ReplicaStatus): string => {
  const state = quarantined === undefined ? role : 'quarantined'
  const note = state === 'follower' || state === 'leader' ? '' : ` ${state}`
  const behind = matchIndex === null ? '?' : String(matchIndex)
  return `${node}${node === shard.leader ? '*' : ''}${note} ${behind}`
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const drawn = new Table({ head: [...head], chars: plainFrame, style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 } })
  for (const row of rows) drawn.push([...row])
  return drawn.toString().split('\n').map((line) => line.trimEnd()).join('\n')
}
