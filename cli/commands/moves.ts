/** `shardkv moves`: which replicas are on their way, and how far. */

import { adminCommand } from '../admin/command.ts'
import { createAdminClient } from '../admin/client.ts'
import { follow } from '../admin/follow.ts'
import { moveFields, movesTable } from '../admin/texts.ts'
import { flag } from '../flags.ts'
import { printResult, tabbed } from '../output.ts'
import type { Command } from 'commander'
import type { MovesAnswer, PlanAnswer } from '../../gateway/admin/views.ts'
import type { AdminClient } from '../admin/client.ts'
import type { AdminCommandFlags } from '../admin/command.ts'
import type { CliIo } from '../io.ts'

interface MovesFlags extends AdminCommandFlags {
  readonly follow?: boolean
}

export const movesCommand = (io: CliIo): Command => adminCommand('moves')
  .description('shows the moves under way')
  .addOption(flag('--follow', 'print again whenever it changes, until nothing is left to do'))
  .addHelpText('after', '\nSteps: adding (it copies), promoting (it becomes a voter), undoing. ENTRIES LEFT: what the new replica lacks.\n'
    + 'COPIED grows on both sides while clients write.\n'
    + 'Raw: move, shard, added, removed, step, entries left, bytes copied, bytes in all, bytes a second, seconds left.\n'
    + '\nExamples:\n  $ shardkv moves\n  $ shardkv moves --follow\n  $ shardkv moves -w json | jq .moves[].step')
  .action(async (flags: MovesFlags) => {
    const client = createAdminClient(io, flags)
    if (flags.follow !== true) {
      await print(io, flags, await movesOf(client))
      return
    }
    let before = ''
    await follow(io, async () => {
      const answer = await movesOf(client)
      const now = JSON.stringify(answer.moves)
      if (now !== before) await print(io, flags, answer)
      before = now
      return answer.moves.length === 0 && await isNothingLeft(client)
    })
  })

const movesOf = (client: AdminClient): Promise<MovesAnswer> => client.get<MovesAnswer>('/v1/moves')

/** Between two moves there may be none for a moment. */
const isNothingLeft = async (client: AdminClient): Promise<boolean> => {
  const { moves, underWay, isPaused } = await client.get<PlanAnswer>('/v1/plan')
  return underWay === 0 && (isPaused || moves.length === 0)
}

const print = (io: CliIo, flags: MovesFlags, answer: MovesAnswer): Promise<void> => printResult(io, flags.writeOut, {
  raw: tabbed(answer.moves.map(moveFields)), json: answer, table: movesTable(answer.moves),
})
