/** `shardkv log level`: what nodes log, changed while they run. Levels are a node's own, so every node that --admin names is asked. */

import { Command } from 'commander'
import { adminCommand } from '../admin/command.ts'
import { createAdminClient } from '../admin/client.ts'
import { printResult, tabbed } from '../output.ts'
import { levelNames, loggedActors } from '../../observe/logLevels.ts'
import { CliError, ExitCode } from '../exit.ts'
import { table } from '../table.ts'
import type { AdminCommandFlags } from '../admin/command.ts'
import type { LogAnswer } from '../../gateway/admin/logRoutes.ts'
import type { CliIo } from '../io.ts'

export const logCommand = (io: CliIo): Command => new Command('log')
  .description('what nodes log')
  .addHelpText('after', '\nExample:\n  $ shardkv log level raft debug')
  .addCommand(levelCommand(io))

const levelCommand = (io: CliIo): Command => adminCommand('level')
  .description('shows what is logged, or sets it, on every node of --admin')
  .argument('[actor]', `whose lines: all, or one of ${loggedActors.join(', ')}`)
  .argument('[level]', `how much of them: ${levelNames.join(', ')}`)
  .addHelpText('after', '\nIt lasts until the node ends; --log-level of "shardkv node" is what it starts with.\n'
    + '\nExamples:\n  $ shardkv log level\n  $ shardkv log level raft debug\n  $ shardkv log level all info')
  .action(async (actor: string | undefined, level: string | undefined, flags: AdminCommandFlags) => {
    if (actor !== undefined && level === undefined) {
      throw new CliError(ExitCode.usage, `give a level, too: shardkv log level ${actor} ${levelNames.join('|')}`)
    }
    const body = { actor: actor === 'all' ? null : actor, level }
    const answers: [string, LogAnswer][] = []
    for (const url of flags.admin) {
      const client = createAdminClient(io, { ...flags, admin: [url] })
      answers.push([url, actor === undefined
        ? await client.get<LogAnswer>('/v1/log')
        : await client.change<LogAnswer>({ method: 'PATCH', path: '/v1/log', body })])
    }
    const rows = answers.flatMap(([url, { level: all, actors }]) =>
      [[url, 'all', all], ...Object.entries(actors).map(([name, own]) => [url, name, own])])
    await printResult(io, flags.writeOut, {
      raw: tabbed(rows), json: Object.fromEntries(answers), table: table(['NODE', 'ACTOR', 'LEVEL'], rows),
    })
  })
