/** `shardkv repl`, and `shardkv` alone on a terminal: the interactive mode. */

import { Command } from 'commander'
import { inboxOf } from '../broker.ts'
import { shapesOf } from '../completion/shape.ts'
import { CliError } from '../exit.ts'
import { withClusterFlags, withFormatFlag, withTimeoutFlag } from '../flags.ts'
import { colorsFor } from '../output.ts'
import { runRepl } from '../repl/session.ts'
import { withBus } from '../session.ts'
import { collectReports } from '../status/collect.ts'
import { mergeReports } from '../status/merge.ts'
import type { Bus } from '../../bus/port.ts'
import type { ExitCode } from '../exit.ts'
import type { ClusterFlags, OutputFormat } from '../flags.ts'
import type { CliIo } from '../io.ts'
import type { ReplSession } from '../repl/session.ts'

interface ReplFlags extends ClusterFlags {
  readonly timeout: number
  readonly writeOut: OutputFormat
}

/** These take the terminal or the process for themselves. */
const OUTSIDE: ReadonlySet<string> = new Set(['start', 'node', 'init', 'top', 'bench', 'repl', 'completion', 'help'])

export const replCommand = (io: CliIo, run: ReplSession['run']): Command => {
  const command = withFormatFlag(withTimeoutFlag(withClusterFlags(new Command('repl'), io.env)), 'raw')
  return command
    .description('reads commands from a prompt; "shardkv" alone does the same')
    .addHelpText('after', '\nLines are kept in ~/.shardkv_history ($SHARDKV_HISTORY names another file; empty: none), except those that\n'
      + 'start with a blank. Lines may also come from a file: the exit code is then that of the last one that failed.\n'
      + '\nExamples:\n  $ shardkv repl\n  $ shardkv repl -w table --prefix kv < commands.txt')
    .action(async (flags: ReplFlags) => {
      const code = await withBus(io, flags, async (bus) => {
        if (io.isInputTty) io.say(await greeting(io, bus, flags))
        const isFormatGiven = command.getOptionValueSource('writeOut') !== 'default'
        return runRepl({
          io, bus, run,
          commands: shapesOf(command.parent ?? command).filter(({ name }) => !OUTSIDE.has(name)),
          defaults: {
            ...brokerWords(flags), '--prefix': flags.prefix, '--timeout': String(flags.timeout),
            ...(isFormatGiven ? { '--write-out': flags.writeOut } : {}),
          },
          prompt: promptText(io, bus, flags.prefix),
        })
      })
      if (code !== 0 && !io.isInputTty) throw new CliError(code as ExitCode, 'not every line succeeded')
    })
}

/** Of the connection that all lines share: none reads another broker's login from the environment (natsEnvironment.ts). */
const brokerWords = ({ servers, inboxPrefix, natsUser, natsPassword, natsToken, creds, nkey }: ReplFlags): Record<string, string> => ({
  '--servers': servers.join(','), '--inbox-prefix': inboxPrefix,
  ...(natsUser === undefined ? {} : { '--nats-user': natsUser }),
  ...(natsPassword === undefined ? {} : { '--nats-password': natsPassword }),
  ...(natsToken === undefined ? {} : { '--nats-token': natsToken }), ...(creds === undefined ? {} : { '--creds': creds }),
  ...(nkey === undefined ? {} : { '--nkey': nkey }),
})

const greeting = async (io: CliIo, bus: Bus, { prefix, inboxPrefix }: ReplFlags): Promise<string> => {
  const status = mergeReports(await collectReports({ bus, clock: io.clock, prefix, inbox: inboxOf({ inboxPrefix }, io.newId()) }))
  if (status === undefined) return `no node answers on ${prefix}.status yet; "doctor" may say why\n`
  const { cluster, nodes, shardCount } = status
  const there = nodes.filter(({ pid }) => pid !== null).length
  return `cluster ${cluster}: ${there} of ${nodes.length} nodes, ${shardCount} shards. "help" lists commands, Ctrl-D leaves.\n`
}

/** `127.0.0.1:4222> `, with the prefix when it is not the usual one. */
const promptText = (io: CliIo, bus: Bus, prefix: string): string => {
  const where = bus.status().server.url.replace(/^[a-z]+:\/\//, '')
  return colorsFor(io).cyan(`${where}${prefix === 'kv' ? '' : `/${prefix}`}> `)
}
