/** What the commands of the admin API have in common: their flags, and how they print a change. */

import { Command, Option } from 'commander'
import { wholeNumber, withAdminFlags, withFormatFlag } from '../flags.ts'
import { printResult } from '../output.ts'
import { createAdminClient } from './client.ts'
import { costText, outcomeText } from './texts.ts'
import type { ChangeAnswer } from '../../gateway/admin/views.ts'
import type { AdminFlags, OutputFormat } from '../flags.ts'
import type { CliIo } from '../io.ts'
import type { ChangeWish } from './client.ts'

export interface AdminCommandFlags extends AdminFlags {
  readonly writeOut: OutputFormat
}

export interface ChangeFlags extends AdminCommandFlags {
  readonly ifEpoch?: number
}

export interface ForceFlags extends ChangeFlags {
  readonly force?: boolean
}

/** Of changes that may leave a shard less safe than it is. Typed each time: no environment gives it. */
export const forceFlag = (): Option =>
  new Option('--force', 'even if fewer nodes or zones are left than replicas need: shards then bear fewer failures')

export const forceQuery = ({ force }: ForceFlags): string => (force === true ? '?force=true' : '')

export const adminCommand = (name: string): Command => withFormatFlag(withAdminFlags(new Command(name)), 'table')

/** One that changes the cluster. An epoch is for one change: no environment gives it. */
export const changeCommand = (name: string): Command => adminCommand(name)
  .addOption(new Option('--if-epoch <epoch>', 'only if the cluster still is at this epoch (that of a "-w json" answer)')
    .argParser(wholeNumber(0, Number.MAX_SAFE_INTEGER)))

export interface Change {
  readonly wish: Omit<ChangeWish, 'epoch'>
  /** What is so then, for a person. */
  readonly done: string
  /** What to do afterwards, where there is something. */
  readonly next?: string
}

/** After what is done by hand, which is done while the cluster is paused. */
export const STAYS_PAUSED = 'the cluster stays paused: "shardkv resume" lets moves begin again, and brings this back to where the ring '
  + 'wants it'

export const makeChange = async (io: CliIo, flags: ChangeFlags, { wish, ...words }: Change): Promise<ChangeAnswer> => {
  const answer = await createAdminClient(io, flags).change(wishFor(flags, wish))
  await printResult(io, flags.writeOut, { raw: `${answer.outcome}\t${answer.epoch}`, json: answer, table: outcomeText(answer, words) })
  if (flags.writeOut === 'raw' && typeof answer.cost === 'string') io.say(`${costText(answer.cost)}\n`)
  return answer
}

export const wishFor = ({ ifEpoch }: ChangeFlags, wish: Omit<ChangeWish, 'epoch'>): ChangeWish =>
  ({ ...wish, ...(ifEpoch === undefined ? {} : { epoch: ifEpoch }) })
