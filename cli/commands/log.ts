/**
 * `shardkv log level`: what nodes log, changed while they run. Levels are a node's own, so every node that --admin names is asked, also
 * where others do not answer: whoever changes something must know where it was not done.
 */

import { Argument, Command } from 'commander'
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
  .addArgument(new Argument('[actor]', 'whose lines').choices(['all', ...loggedActors]))
  .addArgument(new Argument('[level]', 'how much of them').choices(levelNames))
  .addHelpText('after', '\nIt lasts until the node ends; --log-level of "shardkv node" is what it starts with.\n'
    + '\nExamples:\n  $ shardkv log level\n  $ shardkv log level raft debug\n  $ shardkv log level all info')
  .action(async (actor: string | undefined, level: string | undefined, flags: AdminCommandFlags) => {
    if (actor !== undefined && level === undefined) {
      throw new CliError(ExitCode.usage, `give a level, too: shardkv log level ${actor} ${levelNames.join('|')}`)
    }
    const body = { actor: actor === 'all' ? null : actor, level }
    const told: Told[] = []
    for (const url of flags.admin) {
      const client = createAdminClient(io, { ...flags, admin: [url] })
      told.push([url, await answerOrError(actor === undefined
        ? client.get<LogAnswer>('/v1/log')
        : client.change<LogAnswer>({ method: 'PATCH', path: '/v1/log', body }))])
    }
    await printTold(io, flags, told)
  })

/** By address: the answer, or why there is none. */
type Told = readonly [string, LogAnswer | CliError]

const answerOrError = async (answer: Promise<LogAnswer>): Promise<LogAnswer | CliError> => {
  try {
    return await answer
  } catch (error) {
    if (error instanceof CliError) return error
    throw error
  }
}

/** Ends as the first that failed does, once all are shown; where nobody has an answer there is nothing to show. */
const printTold = async (io: CliIo, { writeOut, admin }: AdminCommandFlags, told: readonly Told[]): Promise<void> => {
  const failed = told.flatMap(([url, answer]) => (answer instanceof CliError ? [{ url, error: answer }] : []))
  const [first] = failed
  if (first !== undefined && failed.length === told.length) throw first.error
  const rows = told.flatMap(([url, answer]) => rowsOf(url, answer))
  await printResult(io, writeOut, {
    raw: tabbed(rows),
    json: Object.fromEntries(told.map(([url, answer]) => [url, answer instanceof CliError ? { error: answer.message } : answer])),
    table: table(['NODE', 'ACTOR', 'LEVEL'], rows),
  })
  if (first === undefined) return
  const where = failed.map(({ url }) => url).join(', ')
  const { exitCode, message } = first.error
  throw new CliError(exitCode, `${failed.length} of ${admin.length} nodes did not do as asked (${where}): ${message}`)
}

const rowsOf = (url: string, answer: LogAnswer | CliError): string[][] => {
  if (answer instanceof CliError) return [[url, '-', answer.exitCode === ExitCode.unavailable ? 'unreachable' : 'refused']]
  return [[url, 'all', answer.level], ...Object.entries(answer.actors).map(([name, own]) => [url, name, own])]
}
