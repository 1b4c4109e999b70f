/** `shardkv shard`: where shards live, and moving them by hand. */

import { Argument, Command, InvalidArgumentError } from 'commander'
import { STAYS_PAUSED, adminCommand, changeCommand, makeChange, wishFor } from '../admin/command.ts'
import { createAdminClient } from '../admin/client.ts'
import { CliError, ExitCode } from '../exit.ts'
import { changeText, groupText } from '../admin/texts.ts'
import { printResult, tabbed } from '../output.ts'
import { table } from '../table.ts'
import type { ClusterAnswer, ShardView, ShardsAnswer, TransferAnswer } from '../../gateway/admin/views.ts'
import type { AdminClient } from '../admin/client.ts'
import type { AdminCommandFlags, ChangeFlags } from '../admin/command.ts'
import type { CliIo } from '../io.ts'

/** In place of a node: none. */
const NOBODY = '-'

export const shardCommand = (io: CliIo): Command => new Command('shard')
  .description('shows where shards live, and moves them by hand')
  .addHelpText('after', '\nBy hand only while the cluster is paused: the planner would undo it.\n\nExamples:\n  $ shardkv shard list\n'
    + '  $ shardkv shard move 7 n1 n4\n  $ shardkv shard transfer 7 n3')
  .addCommand(listCommand(io))
  .addCommand(moveCommand(io))
  .addCommand(transferCommand(io))

/** A node of an earlier version says nothing of damage. */
type ShardListed = Omit<ShardView, 'damaged'> & Partial<Pick<ShardView, 'damaged'>>

const listCommand = (io: CliIo): Command => adminCommand('list')
  .description('shows every shard\'s replicas, leader and move')
  .addHelpText('after', '\nREPLICAS are in order of preference: the first is to lead.\n\nExample:\n  $ shardkv shard list')
  .action(async (flags: AdminCommandFlags) => {
    const answer = await createAdminClient(io, flags).get<ShardsAnswer>('/v1/shards')
    const rows = answer.shards.map(rowOf)
    await printResult(io, flags.writeOut, {
      raw: tabbed(rows), json: answer, table: table(['SHARD', 'LEADER', 'REPLICAS', 'MOVE', 'DAMAGED'], rows, { numeric: [0] }),
    })
  })

const rowOf = ({ shard, leader, replicas, move, damaged = [] }: ShardListed): string[] => [
  String(shard), leader ?? 'none', replicas.join(' '), move === null ? NOBODY : `${move.id} ${changeText(move)} ${move.step}`,
  damaged.length === 0 ? NOBODY : damaged.map(({ replica, state }) => `${replica} ${state}`).join(', '),
]

const moveCommand = (io: CliIo): Command => changeCommand('move')
  .description('gives a replica of a shard to another node')
  .addArgument(new Argument('<shard>', 'its number, or "meta"').argParser(group))
  .addArgument(new Argument('<from>', 'the node that gives its replica; - for none'))
  .addArgument(new Argument('<to>', 'the node that gets one; - for none'))
  .addHelpText('after', '\nThe cluster must be paused. The new replica copies first and votes only then.\n\nExamples:\n'
    + '  $ shardkv shard move 7 n1 n4\n  $ shardkv shard move 7 - n5          one replica more')
  .action(async (shard: number | 'meta', from: string, to: string, flags: ChangeFlags) => {
    const remove = from === NOBODY ? null : await replicaOn(createAdminClient(io, flags), shard, from)
    const add = to === NOBODY ? null : to
    await makeChange(io, flags, {
      wish: { path: '/v1/moves', body: { group: shard, add, remove } },
      done: `${shard === 'meta' ? 'the meta group' : `shard ${shard}`} moves: ${changeText({ add, remove })}`,
      next: STAYS_PAUSED,
    })
  })

const transferCommand = (io: CliIo): Command => changeCommand('transfer')
  .description('lets another node lead a shard')
  .addArgument(new Argument('<shard>', 'its number').argParser(shardNumber))
  .addArgument(new Argument('<to>', 'a node with a replica of it'))
  .addHelpText('after', '\nThe cluster must be paused: the balance would bring the leadership back. It waits until the node leads.\n'
    + '\nExample:\n  $ shardkv shard transfer 7 n3')
  .action(async (shard: number, to: string, flags: ChangeFlags) => {
    const wish = wishFor(flags, { path: `/v1/shards/${shard}/transfer`, body: { to } })
    const answer = await createAdminClient(io, flags).change<TransferAnswer>(wish)
    const done = `${answer.leader} leads shard ${answer.shard}\n${STAYS_PAUSED}`
    await printResult(io, flags.writeOut, { raw: answer.leader, json: answer, table: done })
  })

/** People name nodes; a move names the replica, so that it is about that one and no later one. */
const replicaOn = async (client: AdminClient, shard: number | 'meta', node: string): Promise<string> => {
  const replicas = shard === 'meta' ? (await client.get<ClusterAnswer>('/v1/cluster')).metaReplicas
    : (await client.get<{ readonly shard: ShardView }>(`/v1/shards/${shard}`)).shard.replicas
  const found = replicas.find((replica) => replica.split(':')[0] === node)
  if (found !== undefined) return found
  throw new CliError(ExitCode.notFound, `node ${node} has no replica of ${groupText(shard)}; there are ${replicas.join(', ')}`)
}

const shardNumber = (text: string): number => {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('It is the number of a shard.')
  return Number(text)
}

const group = (text: string): number | 'meta' => (text === 'meta' ? text : shardNumber(text))
