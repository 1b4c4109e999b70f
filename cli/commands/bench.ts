/**
 * `shardkv bench`: the benchmarks of bench/, which have questions, flags and help of their own. Everything after the question is theirs;
 * only `-w`, which every command has, is put into their words.
 */

import { Command } from 'commander'
import { CliError, ExitCode } from '../exit.ts'
import type { CliIo } from '../io.ts'

export const benchCommand = (io: CliIo): Command => new Command('bench')
  .description('measures throughput and latency')
  .argument('[question...]', 'what to measure and how; "shardkv bench -- --help" lists what there is')
  .allowUnknownOption()
  .passThroughOptions()
  .addHelpText('after', '\nWithout --servers, of a cluster that is started for the purpose. -w json prints JSON.\n'
    + '\nExamples:\n  $ shardkv bench put --inflight 64\n  $ shardkv bench get --servers nats://127.0.0.1:4222 -w json\n'
    + '  $ shardkv bench put --help')
  .action(async (words: readonly string[]) => {
    await io.runBench(words.flatMap((word, i) => translated(word, words[i + 1], words[i - 1])))
  })

const isFormatFlag = (word: string | undefined): boolean => word === '-w' || word === '--write-out'

/** `-w json` is `--json` there, and a table is what there is without. */
const translated = (word: string, next: string | undefined, previous: string | undefined): readonly string[] => {
  if (isFormatFlag(previous)) return []
  if (!isFormatFlag(word)) return [word]
  if (next !== 'json' && next !== 'table') throw new CliError(ExitCode.usage, 'a bench prints "-w json" or "-w table"')
  return next === 'json' ? ['--json'] : []
}
