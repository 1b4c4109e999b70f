/**
 * The `shardkv` command: data on standard output, messages on standard error.
 * Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 unavailable (`node` also 78: refuses to run).
 */

import { Command, CommanderError } from 'commander'
import { benchCommand } from './commands/bench.ts'
import { clusterCommand } from './commands/cluster.ts'
import { completionCommand } from './commands/completion.ts'
import { doctorCommand } from './commands/doctor.ts'
import { eventsCommand } from './commands/events.ts'
import { keyCommands } from './commands/key.ts'
import { initCommand } from './commands/init.ts'
import { logCommand } from './commands/log.ts'
import { loadCommand } from './commands/load.ts'
import { memberCommand } from './commands/member.ts'
import { movesCommand } from './commands/moves.ts'
import { natsConfigCommand } from './commands/natsConfig.ts'
import { nodeCommand } from './commands/nodeCommand.ts'
import { cancelCommand, pauseCommand, planCommand, resumeCommand } from './commands/plan.ts'
import { recordCommand, replayCommand } from './commands/record.ts'
import { replCommand } from './commands/repl.ts'
import { ringCommand } from './commands/ring.ts'
import { shardCommand } from './commands/shard.ts'
import { startCommand } from './commands/start.ts'
import { statusCommand } from './commands/status.ts'
import { topCommand } from './commands/top.ts'
import { traceCommand } from './commands/trace.ts'
import { versionCommand } from './commands/version.ts'
import { CliError, ExitCode } from './exit.ts'
import { fileTrouble } from './fileTrouble.ts'
import { readVariables } from './flags.ts'
import { commandFirst } from './leadingFlags.ts'
import { otherName } from './otherNames.ts'
import type { CliIo } from './io.ts'

/** Runs one command line (without program names); resolves with the exit code, never rejects. */
export const runCli = async (args: readonly string[], io: CliIo): Promise<number> => {
  const printed: Promise<void>[] = []
  try {
    const program = buildProgram(io, printed)
    const words = commandFirst(args, program, io.terminal !== null)
    const here = otherName(words[0] ?? '')
    if (here !== null) throw new CliError(ExitCode.usage, `"${words[0]}" is "${here}" here; "shardkv ${here} --help" shows how`)
    await program.parseAsync([...words], { from: 'user' })
    return ExitCode.ok
  } catch (error) {
    return reportFailure(io, error)
  } finally {
    await Promise.all(printed)
  }
}

/** `printed` gets what commander prints by itself (help), to be waited for. */
export const buildProgram = (io: CliIo, printed: Promise<void>[]): Command => {
  const program = new Command('shardkv')
    .enablePositionalOptions()
    .description('a linearizable, durable, sharded key-value database on NATS subjects')
    .option('-V, --version', 'prints the version, as the command does')
    .addHelpText('after', '\nFlags may also stand before the command: shardkv --servers nats://host:4222 get user42.\n'
      + 'Every flag is an environment variable but --force, --if-epoch, -x and --version: --http-port is SHARDKV_HTTP_PORT.\n'
      + 'Of a flag without a value, 1 and true switch it on, 0, false and nothing leave it off.\n'
      + 'Exit codes: 0 ok, 1 error, 2 wrong use, 3 not found, 4 unavailable; "shardkv node --help" has those of a node.\n'
      + '\nExample:\n  $ shardkv start\n  $ shardkv put user42 Ada && shardkv get user42')
  const commands = [
    ...group('Data:', [...keyCommands(io), loadCommand(io), replCommand(io, runCli)]),
    ...group('What the cluster does:', [
      statusCommand(io), ringCommand(io), topCommand(io), traceCommand(io), recordCommand(io), replayCommand(io), doctorCommand(io),
      benchCommand(io),
    ]),
    ...group('Its nodes and replicas:', [
      memberCommand(io), shardCommand(io), clusterCommand(io), planCommand(io), pauseCommand(io), resumeCommand(io), movesCommand(io),
      cancelCommand(io), eventsCommand(io), logCommand(io),
    ]),
    ...group('Running one:', [startCommand(io), initCommand(io), nodeCommand(io), natsConfigCommand(io)]),
    ...group(OWN, [completionCommand(io), versionCommand(io)]),
  ]
  for (const command of commands) program.addCommand(command)
  program.addHelpCommand(new Command('help').argument('[command]').description('shows the help of a command').helpOption(false)
    .helpGroup(OWN))
  for (const command of [program, ...commands, ...commands.flatMap((one) => one.commands)]) {
    const name = fullNameOf(command)
    readVariables(command)
    command.showHelpAfterError(`"${name} --help" shows how`).exitOverride().configureOutput({
      writeOut: (text) => { printed.push(io.print(text)) },
      writeErr: (text) => io.say(text),
    })
  }
  return program
}

const OWN = 'This program:'

/** `shardkv member drain`. */
const fullNameOf = (command: Command): string =>
  (command.parent === null ? command.name() : `${fullNameOf(command.parent)} ${command.name()}`)

const group = (heading: string, commands: readonly Command[]): readonly Command[] => commands.map((command) => command.helpGroup(heading))

const reportFailure = (io: CliIo, error: unknown): number => {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage
  if (error instanceof CliError) {
    io.say(`shardkv: ${error.message}\n`)
    return error.exitCode
  }
  const told = fileTrouble(error) ?? (error instanceof Error ? error.stack ?? error.message : String(error))
  io.say(`shardkv: ${told}\n`)
  return ExitCode.error
}
