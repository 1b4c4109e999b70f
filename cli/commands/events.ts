/** `shardkv events`: what was decided about the cluster, by whom. */

import { adminCommand } from '../admin/command.ts'
import { createAdminClient } from '../admin/client.ts'
import { flag, wholeNumber } from '../flags.ts'
import { printResult, tabbed } from '../output.ts'
import { table } from '../table.ts'
import type { Command } from 'commander'
import type { EventsAnswer } from '../../gateway/admin/views.ts'
import type { AdminCommandFlags } from '../admin/command.ts'
import type { CliIo } from '../io.ts'

const LIMIT_MAX = 100
const LIMIT_DEFAULT = 20

interface EventsFlags extends AdminCommandFlags {
  readonly limit: number
  readonly before?: number
}

export const eventsCommand = (io: CliIo): Command => adminCommand('events')
  .description('shows what was decided about the cluster, newest first')
  .addOption(flag('--limit <count>', 'how many').argParser(wholeNumber(1, LIMIT_MAX)).default(LIMIT_DEFAULT))
  .addOption(flag('--before <epoch>', 'only events of older epochs').argParser(wholeNumber(1, Number.MAX_SAFE_INTEGER)))
  .addHelpText('after', '\nBY is who asked: a person, a node, or the planner. The cluster keeps the last 1,000.\n'
    + '\nExamples:\n  $ shardkv events\n  $ shardkv events --limit 100 -w json')
  .action(async (flags: EventsFlags) => {
    const before = flags.before === undefined ? '' : `&before=${flags.before}`
    const answer = await createAdminClient(io, flags).get<EventsAnswer>(`/v1/events?limit=${flags.limit}${before}`)
    const rows = answer.events.map(({ epoch, at, by, what }) => [String(epoch), new Date(at).toISOString(), by, what])
    await printResult(io, flags.writeOut, {
      raw: tabbed(rows), json: answer, table: table(['EPOCH', 'WHEN', 'BY', 'WHAT'], rows, { numeric: [0] }),
    })
  })
