/** `shardkv cluster`: the cluster at a glance, and how many replicas it keeps. */

import { Argument, Command } from 'commander'
import { adminCommand, changeCommand, forceFlag, forceQuery, makeChange } from '../admin/command.ts'
import { createAdminClient } from '../admin/client.ts'
import { localText } from '../admin/texts.ts'
import { wholeNumber } from '../flags.ts'
import { printResult } from '../output.ts'
import type { ClusterAnswer } from '../../gateway/admin/views.ts'
import type { AdminCommandFlags, ChangeFlags, ForceFlags } from '../admin/command.ts'
import type { CliIo } from '../io.ts'

const REPLICAS_MAX = 99

export const clusterCommand = (io: CliIo): Command => new Command('cluster')
  .description('shows the cluster at a glance, sets how many replicas it keeps and whether load moves them')
  .addHelpText('after', '\nExamples:\n  $ shardkv cluster show\n  $ shardkv cluster replicas 5\n  $ shardkv cluster balance off')
  .addCommand(showCommand(io))
  .addCommand(replicasCommand(io))
  .addCommand(balanceCommand(io))

const showCommand = (io: CliIo): Command => adminCommand('show')
  .description('shows the cluster at a glance')
  .addHelpText('after', '\nExample:\n  $ shardkv cluster show -w json')
  .action(async (flags: AdminCommandFlags) => {
    const cluster = await createAdminClient(io, flags).get<ClusterAnswer>('/v1/cluster')
    const { nodes, shardCount, replicationFactor, moves, isPaused, epoch, metaReplicas } = cluster
    const lost = nodes.lost === 0 ? '' : `, ${nodes.lost} lost`
    await printResult(io, flags.writeOut, {
      raw: `${cluster.cluster}\t${epoch}`,
      json: cluster,
      table: [
        `cluster ${cluster.cluster}, epoch ${epoch}${localText(cluster)}`,
        `${shardCount} shards of ${replicationFactor} replicas; the map is kept by ${metaReplicas.join(', ')}`,
        `nodes: ${nodes.active} active, ${nodes.draining} draining, ${nodes.left} left${lost}`,
        `${moves} moves under way${isPaused ? '; paused: none begins by itself' : ''}`,
      ].join('\n'),
    })
  })

const balanceCommand = (io: CliIo): Command => changeCommand('balance')
  .description('says whether load moves leaders and replicas')
  .addArgument(new Argument('<state>', 'on or off').choices(['on', 'off']))
  .addHelpText('after', '\nOn: what is asked of shards is spread over nodes, slowly. "shardkv plan" shows the load, "shardkv events" why\n'
    + 'something moved. Off, as at first: counts, weights and zones decide alone.\n\nExample:\n  $ shardkv cluster balance off')
  .action(async (state: string, flags: ChangeFlags) => {
    const isBalanced = state === 'on'
    await makeChange(io, flags, {
      wish: { method: 'PATCH', path: '/v1/cluster', body: { isBalanced } },
      done: isBalanced ? 'load moves leaders and replicas' : 'load moves nothing',
    })
  })

const replicasCommand = (io: CliIo): Command => changeCommand('replicas')
  .description('sets how many replicas every shard is to have')
  .addArgument(new Argument('<count>', '1, 3 or 5').argParser(wholeNumber(0, REPLICAS_MAX, '1, 3 or 5')))
  .addOption(forceFlag())
  .addHelpText('after', '\nMoves follow at once, unless the cluster is paused.\n\nExample:\n  $ shardkv cluster replicas 5')
  .action(async (replicationFactor: number, flags: ForceFlags) => {
    await makeChange(io, flags, {
      wish: { method: 'PATCH', path: `/v1/cluster${forceQuery(flags)}`, body: { replicationFactor } },
      done: `every shard is to have ${replicationFactor} replicas`,
    })
  })
