/**
 * `npm run bench -- <question> [flags]`: what ShardKV does, measured on this machine beside its floor, its peers or another build. One file
 * a question, in bench/questions; docs/PERFORMANCE.md has the published figures and the line that repeats each.
 */

import { Command, CommanderError } from 'commander'
import { CliError, ExitCode } from '../cli/exit.ts'
import { readVariables } from '../cli/flags.ts'
import { addElastic } from './questions/elastic.ts'
import { addFloor } from './questions/floor.ts'
import { addGet } from './questions/get.ts'
import { addIdle } from './questions/idle.ts'
import { addLatency } from './questions/latency.ts'
import { addMemory } from './questions/memory.ts'
import { addMixed } from './questions/mixed.ts'
import { addOverload } from './questions/overload.ts'
import { addPeers } from './questions/peers.ts'
import { addPut } from './questions/put.ts'
import { addRaw } from './questions/raw.ts'
import { addRecord } from './questions/record.ts'
import { addSoak } from './questions/soak.ts'
import { addTraces } from './questions/traces.ts'
import { addWatched } from './questions/watched.ts'

const questions = [
  addPut, addGet, addMixed, addRaw, addFloor, addPeers, addLatency, addOverload, addMemory, addIdle, addSoak, addElastic, addRecord,
  addTraces, addWatched,
]

const EXAMPLES = `
Examples:
  $ shardkv bench put --inflight 64                        # one figure
  $ shardkv bench floor                                    # how much of what broker, disk and Node allow is reached
  $ shardkv bench peers                                    # beside etcd and JetStream KV (needs Go, and a checkout)
  $ shardkv bench get --inflight 64 --against ../before    # this build and that of another checkout in turns
`

export const main = async (args: readonly string[]): Promise<void> => {
  const program = new Command('shardkv bench').description('measures ShardKV on this machine').addHelpText('after', EXAMPLES)
    .showHelpAfterError('"shardkv bench -- --help" shows how')
  for (const add of questions) add(program)
  for (const question of program.commands) {
    readVariables(question)
    question.exitOverride().addHelpText('after', `\nExample:\n  $ shardkv bench ${question.name()}`)
      .showHelpAfterError(`"shardkv bench ${question.name()} --help" shows how`)
  }
  try {
    await program.exitOverride().parseAsync([...args], { from: 'user' })
  } catch (error) {
    process.exit(endOf(error))
  }
  process.exit()
}

/** The exit code, as of any other command. */
const endOf = (error: unknown): number => {
  // It has said all that there is.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  return error instanceof CliError ? error.exitCode : ExitCode.error
}
