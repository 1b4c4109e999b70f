/** `shardkv plan`, `pause`, `resume`, `cancel`: what the cluster is about to do by itself, and whether it may. */

import { Argument } from 'commander'
import { adminCommand, changeCommand, makeChange } from '../admin/command.ts'
import { createAdminClient } from '../admin/client.ts'
import { followPlan } from '../admin/followPlan.ts'
import { changeText, groupText, planTable } from '../admin/texts.ts'
import { flag, wholeNumber } from '../flags.ts'
import { printResult, tabbed } from '../output.ts'
import type { Command } from 'commander'
import type { PlanAnswer } from '../../gateway/admin/views.ts'
import type { AdminClient } from '../admin/client.ts'
import type { AdminCommandFlags, ChangeFlags } from '../admin/command.ts'
import type { CliIo } from '../io.ts'

interface PlanFlags extends AdminCommandFlags {
  readonly apply?: boolean
  readonly follow?: boolean
  readonly drain?: string
}

const MOVE_MAX = Number.MAX_SAFE_INTEGER

export const planCommand = (io: CliIo): Command => adminCommand('plan')
  .description('shows the moves that are to come; changes nothing without --apply')
  .addOption(flag('--apply', 'let a paused cluster carry out this plan, if nothing has changed meanwhile'))
  .addOption(flag('--drain <node>', 'as if this node had been told to drain').conflicts(['apply', 'follow']))
  .addOption(flag('--follow', 'show the moves until the plan is done; Ctrl-C stops looking, not the plan'))
  .addHelpText('after', '\nMoves begin by themselves unless the cluster is paused. --follow ends with 0 when nothing is left, with 1\n'
    + 'when the cluster is paused with moves to come, a shard has no majority to move with, or a drain is held back.\n'
    + '\nExamples:\n  $ shardkv plan --follow\n'
    + '  $ shardkv plan --drain n2\n  $ shardkv pause && shardkv member weight n2 2 && shardkv plan && shardkv plan --apply')
  .action(async (flags: PlanFlags) => {
    const client = createAdminClient(io, flags)
    const query = flags.drain === undefined ? '' : `?drain=${encodeURIComponent(flags.drain)}`
    const plan = await client.get<PlanAnswer>(`/v1/plan${query}`)
    if (flags.follow !== true || flags.writeOut === 'table') await printPlan(io, flags, plan)
    const epoch = flags.apply === true ? await applyPlan(io, client, plan) : plan.epoch
    if (flags.follow === true) await followPlan({ io, client, epoch, format: flags.writeOut })
  })

const printPlan = (io: CliIo, flags: PlanFlags, plan: PlanAnswer): Promise<void> => printResult(io, flags.writeOut, {
  raw: tabbed(plan.moves.map(({ group, add, remove }) => [groupText(group), add ?? '-', remove ?? '-'])),
  json: plan,
  table: planTable(plan),
})

/** The epoch at which moves begin. */
const applyPlan = async (io: CliIo, client: AdminClient, { epoch, moves: [first] }: PlanAnswer): Promise<number> => {
  const answer = await client.change({ path: '/v1/plan/apply', epoch })
  io.say(first === undefined ? 'nothing is left to do; moves begin by themselves from now on\n'
    : `it begins, with shard ${groupText(first.group)}: ${changeText(first)}; "shardkv plan --follow" shows it\n`)
  return answer.epoch
}

export const pauseCommand = (io: CliIo): Command => changeCommand('pause')
  .description('lets no move begin by itself; those under way go on')
  .addHelpText('after', '\nWhile it is paused, lost nodes are not replaced either.\n\nExample:\n  $ shardkv pause')
  .action(async (flags: ChangeFlags) => {
    await makeChange(io, flags, { wish: { path: '/v1/plan/pause' }, done: 'paused: no move begins by itself' })
  })

export const resumeCommand = (io: CliIo): Command => changeCommand('resume')
  .description('lets moves begin by themselves again')
  .addHelpText('after', '\nExample:\n  $ shardkv resume')
  .action(async (flags: ChangeFlags) => {
    await makeChange(io, flags, { wish: { path: '/v1/plan/resume' }, done: 'moves begin by themselves again' })
  })

export const cancelCommand = (io: CliIo): Command => changeCommand('cancel')
  .description('undoes a move that is under way')
  .addArgument(new Argument('<move>', 'its number ("shardkv moves")').argParser(wholeNumber(1, MOVE_MAX)))
  .addHelpText('after', '\nA planner that still wants it begins it again: pause the cluster first.\n\nExample:\n  $ shardkv cancel 12')
  .action(async (move: number, flags: ChangeFlags) => {
    await makeChange(io, flags, { wish: { path: `/v1/moves/${move}/cancel` }, done: `move ${move} is being undone` })
  })
