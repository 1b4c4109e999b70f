/** `shardkv member`: the nodes of the cluster: draining, removing, weighing them. A node adds itself: `shardkv node --join`. */

import { Argument, Command } from 'commander'
import { addingText, joinLine, refuseMember } from '../admin/adding.ts'
import { adminCommand, changeCommand, forceFlag, forceQuery, makeChange } from '../admin/command.ts'
import { followDrain } from '../admin/drain.ts'
import { createAdminClient } from '../admin/client.ts'
import { flag, wholeNumber } from '../flags.ts'
import { nodeName, zoneName } from '../nodeName.ts'
import { printResult, tabbed } from '../output.ts'
import { table } from '../table.ts'
import { WEIGHT_MAX as JOIN_WEIGHT_MAX, WEIGHT_MIN } from '../../topology/ownMembership.ts'
import type { NodeView, NodesAnswer } from '../../gateway/admin/views.ts'
import type { AdminCommandFlags, ChangeFlags, ForceFlags } from '../admin/command.ts'
import type { CliIo } from '../io.ts'

/** The cluster has a stricter limit, and says it with what is possible instead. */
const WEIGHT_MAX = 1_000_000

interface DrainFlags extends ForceFlags {
  readonly wait?: boolean
}

interface AddFlags extends AdminCommandFlags {
  readonly weight: number
  readonly zone: string
}

export const memberCommand = (io: CliIo): Command => new Command('member')
  .description('shows the nodes of the cluster; drains, removes and weighs them')
  .addHelpText('after', '\nA node adds itself: shardkv node --join --id n4 --dir DIR\n\nExamples:\n  $ shardkv member list\n'
    + '  $ shardkv member add n4\n  $ shardkv member drain n2 --wait\n  $ shardkv member weight n3 2')
  .addCommand(listCommand(io))
  .addCommand(addCommand(io))
  .addCommand(drainCommand(io))
  .addCommand(activateCommand(io))
  .addCommand(removeCommand(io))
  .addCommand(weightCommand(io))
  .addCommand(zoneCommand(io))

const nodeArgument = (): Argument => new Argument('<node>', 'its name')
const pathOf = (node: string): string => `/v1/nodes/${encodeURIComponent(node)}`

const listCommand = (io: CliIo): Command => adminCommand('list')
  .description('shows every node the cluster knows')
  .addHelpText('after', '\nLOST: silent for longer than the cluster waits; its replicas are rebuilt elsewhere.\n'
    + 'HTTP: what to give to --admin, as the node said last; - while nobody has heard it.\n'
    + '\nExample:\n  $ shardkv member list')
  .action(async (flags: AdminCommandFlags) => {
    const answer = await createAdminClient(io, flags).get<NodesAnswer>('/v1/nodes')
    const rows = answer.nodes.map(rowOf)
    await printResult(io, flags.writeOut, {
      raw: tabbed(rows), json: answer,
      table: table(['NODE', 'STATE', 'WEIGHT', 'ZONE', 'REPLICAS', 'LEADS', 'MOVES', 'META', 'HTTP'], rows, { numeric: [2, 4, 5, 6] }),
    })
  })

const rowOf = ({ id, state, isLost, weight, zone, replicas, leads, moves, isMetaMember, addresses }: NodeView): string[] => [
  id, isLost ? `${state}, lost` : state, String(weight), zone === '' ? '-' : zone, String(replicas), String(leads), String(moves),
  isMetaMember ? 'yes' : '-', addresses?.http ?? '-',
]

const addCommand = (io: CliIo): Command => adminCommand('add')
  .description('says what to type on the machine of a new node; changes nothing')
  .addArgument(new Argument('[node]', 'its name').argParser(nodeName))
  .addOption(flag('--weight <n>', 'how much it shall carry, compared with the others')
    .argParser(wholeNumber(WEIGHT_MIN, JOIN_WEIGHT_MAX)).default(WEIGHT_MIN))
  .addOption(flag('--zone <name>', 'what fails together with it').argParser(zoneName).default(''))
  .addHelpText('after', '\nA node adds itself when it starts. Raw: the line alone.\n\nExamples:\n  $ shardkv member add n4\n'
    + '  $ shardkv member add n4 --weight 2 --zone rack-2')
  .action(async (id: string | undefined, { weight, zone, ...flags }: AddFlags) => {
    const node = { id, weight, zone }
    refuseMember(await createAdminClient(io, flags).get<NodesAnswer>('/v1/nodes'), node)
    const line = joinLine(node)
    await printResult(io, flags.writeOut, { raw: line, json: { changed: false, command: line }, table: addingText(node) })
  })

const drainCommand = (io: CliIo): Command => changeCommand('drain')
  .description('moves everything off a node, which then leaves and stops by itself')
  .addArgument(nodeArgument())
  .addOption(flag('--wait', 'show the progress until the node has left; Ctrl-C stops looking, not the drain'))
  .addOption(forceFlag())
  .addHelpText('after', '\n"shardkv plan --drain n2" shows beforehand what would move; "member activate" ends a drain.\n\nExamples:\n'
    + '  $ shardkv member drain n2 --wait\n  $ shardkv member drain n2 --force')
  .action(async (node: string, flags: DrainFlags) => {
    await makeChange(io, flags, { wish: { path: `${pathOf(node)}/drain${forceQuery(flags)}` }, done: `${node} drains` })
    if (flags.wait === true) await followDrain(io, createAdminClient(io, flags), node)
  })

const activateCommand = (io: CliIo): Command => changeCommand('activate')
  .description('ends a drain: the node carries its share again')
  .addArgument(nodeArgument())
  .addHelpText('after', '\nExample:\n  $ shardkv member activate n2')
  .action(async (node: string, flags: ChangeFlags) => {
    await makeChange(io, flags, { wish: { path: `${pathOf(node)}/activate` }, done: `${node} drains no more` })
  })

const removeCommand = (io: CliIo): Command => changeCommand('remove')
  .description('removes a node that carries nothing, such as a lost one that was drained')
  .addArgument(nodeArgument())
  .addOption(forceFlag())
  .addHelpText('after', '\nA node that runs and is drained removes itself.\n\nExample:\n  $ shardkv member remove n3')
  .action(async (node: string, flags: ForceFlags) => {
    await makeChange(io, flags, { wish: { method: 'DELETE', path: `${pathOf(node)}${forceQuery(flags)}` }, done: `${node} has left` })
  })

const weightCommand = (io: CliIo): Command => changeCommand('weight')
  .description('sets how much a node carries, compared with the others')
  .addArgument(nodeArgument())
  .addArgument(new Argument('<weight>', '1 to 64').argParser(wholeNumber(0, WEIGHT_MAX, 'a whole number from 1 to 64')))
  .addHelpText('after', '\nExample:\n  $ shardkv member weight n3 2')
  .action(async (node: string, weight: number, flags: ChangeFlags) => {
    await makeChange(io, flags, { wish: { method: 'PATCH', path: pathOf(node), body: { weight } }, done: `${node} has weight ${weight}` })
  })

const zoneCommand = (io: CliIo): Command => changeCommand('zone')
  .description('sets what fails together with a node')
  .addArgument(nodeArgument())
  .addArgument(new Argument('<zone>', 'such as rack-2; "" for none'))
  .addOption(forceFlag())
  .addHelpText('after', '\nReplicas of a shard are kept in different zones where there are enough; a zone that leaves too few of them is\n'
    + 'refused without --force. A node without a zone counts as one of its own.\n\nExample:\n  $ shardkv member zone n3 rack-2')
  .action(async (node: string, zone: string, flags: ForceFlags) => {
    const done = zone === '' ? `${node} is in no zone` : `${node} is in zone ${zone}`
    await makeChange(io, flags, { wish: { method: 'PATCH', path: `${pathOf(node)}${forceQuery(flags)}`, body: { zone } }, done })
  })
