/** Follows a drain until the node has left: what it still carries, how far its moves are, and what it waits for when there are none. */

import { CliError, ExitCode } from '../exit.ts'
import { follow } from './follow.ts'
import { changeText, groupText, heldBackText } from './texts.ts'
import type { ClusterAnswer, Move, NodeView, PlanAnswer } from '../../gateway/admin/views.ts'
import type { CliIo } from '../io.ts'
import type { AdminClient } from './client.ts'

interface DrainingNode {
  readonly node: NodeView
  readonly moves: readonly Move[]
}

export const followDrain = async (io: CliIo, client: AdminClient, id: string): Promise<void> => {
  let before = ''
  const isSeen = await follow(io, async () => {
    const { node, moves } = await client.get<DrainingNode>(`/v1/nodes/${encodeURIComponent(id)}`)
    if (node.state === 'active') throw new CliError(ExitCode.error, `${id} is active again: somebody ended its drain`)
    const { isPaused } = await client.get<ClusterAnswer>('/v1/cluster')
    const now = `${progressText(node, moves, isPaused)}${moves.length > 0 || node.state === 'left' ? '' : await waitText(client)}`
    if (now !== before && node.state === 'draining') io.say(`${now}\n`)
    before = now
    return node.state === 'left'
  })
  if (!isSeen) throw new CliError(ExitCode.error, `no longer followed; the drain goes on. "shardkv member list" shows ${id}`)
  io.say(`${id} has left\n`)
}

const waitText = async (client: AdminClient): Promise<string> => {
  const plan = await client.get<PlanAnswer>('/v1/plan')
  return plan.heldBack.length === 0 ? '' : `; ${heldBackText(plan)}`
}

const progressText = ({ id, replicas, isMetaMember }: NodeView, moves: readonly Move[], isPaused: boolean): string => {
  const carried = `${replicas} replicas left${isMetaMember ? ', and one of the meta group' : ''}`
  const details = moves.map((move) => {
    const left = move.entriesLeft === null ? '' : `, ${move.entriesLeft} entries to go`
    return `${move.group === 'meta' ? '' : 'shard '}${groupText(move.group)} ${changeText(move)} ${move.step}${left}`
  })
  const paused = isPaused ? '; the cluster is paused: "shardkv resume" lets it go on' : ''
  return `${id}: ${carried}${details.length === 0 ? '' : `; ${details.join('; ')}`}${paused}`
}
