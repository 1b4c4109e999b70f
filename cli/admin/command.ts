/** What the commands of the admin API have in common: their flags, and how they print a change. */

import { Command, Option } from 'commander'
import { withAdminFlags, withFormatFlag } from '../flags.ts'
import { printResult } from '../output.ts'
import { createAdminClient } from './client.ts'
import { outcomeText } from './texts.ts'
import type { ChangeAnswer } from '../../gateway/admin/views.ts'
import type { AdminFlags, OutputFormat } from '../flags.ts'
import type { CliIo } from '../io.ts'
import type { ChangeWish } from './client.ts'

export interface AdminCommandFlags extends AdminFlags {
  readonly writeOut: OutputFormat
}

export interface ForceFlags extends AdminCommandFlags {
  readonly force?: boolean
}

/** Of changes that may leave a shard less safe than it is. Typed each time: no environment gives it. */
export const forceFlag = (): Option =>
  new Option('--force', 'even if fewer nodes or zones are left than replicas need: shards then bear fewer failures')

export const forceQuery = ({ force }: ForceFlags): string => (force === true ? '?force=true' : '')

export const adminCommand = (name: string): Command => withFormatFlag(withAdminFlags(new Command(name)), 'table')

export interface Change {
  readonly wish: ChangeWish
  /** What is so then, for a person. */
  readonly done: string
}

export const makeChange = async (io: CliIo, flags: AdminCommandFlags, { wish, done }: Change): Promise<ChangeAnswer> => {
  const answer = await createAdminClient(io, flags).change(wish)
  await printResult(io, flags.writeOut, { raw: `${answer.outcome}\t${answer.epoch}`, json: answer, table: outcomeText(answer, done) })
  return answer
}
