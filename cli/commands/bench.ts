/** `shardkv bench`: the benchmarks of bench/, which have flags and help of their own. */

import { Command } from 'commander'
import type { CliIo } from '../io.ts'

export const benchCommand = (io: CliIo): Command => new Command('bench')
  .description('measures throughput and latency')
  .argument('[args...]', 'what to measure and how; "shardkv bench -- --help" lists it')
  .allowUnknownOption()
  .addHelpText('after', '\nWithout --servers, of a cluster that is started for the purpose.\n\nExamples:\n'
    + '  $ shardkv bench --servers nats://127.0.0.1:4222\n  $ shardkv bench -- --help')
  .action(async (args: readonly string[]) => {
    await io.runBench(args)
  })
