/** The cluster's status for a person. */

import pc from 'picocolors'
import { tabbed } from '../output.ts'
import { table } from '../table.ts'
import { isUntold } from './merge.ts'
import type { ClusterStatus, ReplicaStatus, Sees, ShardStatus } from './merge.ts'

const NAMES_SHOWN = 4

type Colors = ReturnType<typeof pc.createColors>

export const statusTable = (status: ClusterStatus, useColor: boolean): string => {
  const color = pc.createColors(useColor)
  const { broker } = status
  const routing = broker.routing === 'broker' ? 'the broker' : color.yellow(broker.routing)
  const lines = [
    `cluster ${status.cluster}, epoch ${status.epoch}, ${levelText(status, color)}${status.shardCount} shards`,
    `broker ${broker.url}, nats-server ${broker.version}, routing by ${routing}`,
    ...(status.shortened.length === 0 ? [] : [color.yellow(shortenedText(status.shortened))]),
    '',
    table(['NODE', 'STATE', 'LEADS', 'REPLICAS', 'SEES', 'PID', 'BOOT', 'HTTP'], status.nodes.map(({
      id, state, pid, bootId, sees, addresses,
    }) => [
      id,
      state === 'serving' ? color.green(state) : color.red(state),
      String(status.shards.filter(({ leader }) => leader === id).length),
      String(status.shards.filter(({ replicas }) => replicas.some(({ node }) => node === id)).length),
      seesText(sees, color),
      String(pid ?? '-'),
      bootId ?? '-',
      addresses?.http ?? '-',
    ]), { numeric: [2, 3, 5] }),
    '',
    table(['SHARD', 'LEADER', 'TERM', 'COMMIT', 'APPLIED', 'REPLICAS (durable index)'], status.shards.map((shard) => [
      String(shard.id),
      shard.leader ?? (isUntold(status, shard) ? '?' : color.red('none')),
      String(shard.term),
      String(shard.commitIndex),
      String(shard.appliedIndex),
      shard.replicas.map((replica) => replicaText(shard, replica)).join('  '),
    ]), { numeric: [0, 2, 3, 4] }),
  ]
  return lines.join('\n')
}

const shortenedText = (nodes: readonly string[]): string =>
  `shortened: the broker takes no larger answers of ${names(nodes)}, which leave replicas out; raise its max_payload`

const levelText = ({ level, levelWaitsFor }: ClusterStatus, color: Colors): string => {
  if (level === null) return ''
  const waits = levelWaitsFor.length === 0 ? '' : color.yellow(` (${level + 1} waits for ${names(levelWaitsFor)})`)
  return `layout level ${level}${waits}, `
}

/** `2 alive`, or `1 alive, suspect: n2, dead: n3`: what the node's failure detector believes of the others. It decides nothing. */
const seesText = (sees: Sees | null, color: Colors): string => {
  if (sees === null) return '-'
  const parts = [`${sees.alive.length} alive`]
  if (sees.suspect.length > 0) parts.push(color.yellow(`suspect: ${names(sees.suspect)}`))
  if (sees.dead.length > 0) parts.push(color.red(`dead: ${names(sees.dead)}`))
  if (sees.left.length > 0) parts.push(`left: ${names(sees.left)}`)
  return parts.join(', ')
}

const names = (all: readonly string[]): string => {
  const shown = all.slice(0, NAMES_SHOWN).join(' ')
  return all.length > NAMES_SHOWN ? `${shown} and ${all.length - NAMES_SHOWN} more` : shown
}

const replicaText = (shard: ShardStatus, { node, role, matchIndex, health }: ReplicaStatus): string => {
  const state = health ?? role
  const note = state === 'follower' || state === 'leader' ? '' : ` ${state}`
  const behind = matchIndex === null ? '?' : String(matchIndex)
  return `${node}${node === shard.leader ? '*' : ''}${note} ${behind}`
}

/** One line a shard, for scripts: shard, leader (or -), term, commit index, applied index, then node=durable index. */
export const statusLines = (status: ClusterStatus): string => tabbed(status.shards.map((shard) => [
  shard.id, shard.leader ?? '-', shard.term, shard.commitIndex, shard.appliedIndex,
  ...shard.replicas.map(({ node, matchIndex }) => `${node}=${matchIndex ?? '?'}`),
]))
