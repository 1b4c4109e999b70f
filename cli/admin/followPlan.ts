/**
 * Follows the cluster's plan until nothing of it is left: on a terminal a table that is drawn over the one before, elsewhere a line for
 * each change, as JSON a document for each. It ends well when the plan is done; when the cluster is paused with moves to come, or
 * what is left can not be moved, or somebody stops looking, it says so and ends with an error, as a followed drain does.
 *
 * It never ends by a node's own map, which may be old, nor by one of before the epoch that it is to follow from.
 */

import { CliError, ExitCode } from '../exit.ts'
import { tabbed } from '../output.ts'
import { follow } from './follow.ts'
import { changeText, copiedText, etaText, groupText, heldBackText, localText, moveFields, movesTable, rateText } from './texts.ts'
import type { Move, MovesAnswer, PlanAnswer } from '../../gateway/admin/views.ts'
import type { OutputFormat } from '../flags.ts'
import type { CliIo } from '../io.ts'
import type { AdminClient } from './client.ts'

const ESCAPE = '\u001b'
/** Long lines are cut, not wrapped: the number of lines is what the cursor goes up by. */
const NO_WRAP = `${ESCAPE}[?7l`
const WRAP = `${ESCAPE}[?7h`
const CLEAR_LINE = `${ESCAPE}[K`
const CLEAR_BELOW = `${ESCAPE}[J`
/** A line for so much more of a copy, where lines are not drawn over. */
const COPIED_PARTS = 10

export interface PlanToFollow {
  readonly io: CliIo
  readonly client: AdminClient
  /** What is older says nothing about the plan. */
  readonly epoch: number
  readonly format: OutputFormat
}

interface Seen {
  readonly plan: PlanAnswer
  readonly moves: readonly Move[]
}

type End = 'done' | 'paused' | 'blocked' | 'heldBack'

/** Shows what is seen, if it is something new. */
type Show = (now: Seen, before: Seen | null) => Promise<void>

export const followPlan = async ({ io, client, epoch, format }: PlanToFollow): Promise<void> => {
  const show = showerOf(io, format)
  const followed: { last: Seen | null; end: End | null } = { last: null, end: null }
  const isSeen = await follow(io, async () => {
    const { moves } = await client.get<MovesAnswer>('/v1/moves')
    const now = { plan: await client.get<PlanAnswer>('/v1/plan'), moves }
    await show(now, followed.last)
    followed.last = now
    followed.end = endOf(now, epoch)
    return followed.end !== null
  })
  const { end, last } = followed
  if (!isSeen || end === null || last === null) {
    throw new CliError(ExitCode.error, 'no longer followed; the plan goes on. "shardkv plan --follow" shows it again, "shardkv pause" lets '
      + 'no more moves begin')
  }
  if (end !== 'done') throw new CliError(ExitCode.error, unfinished[end](last.plan))
  io.say('nothing is left to do\n')
}

const endOf = ({ plan, moves }: Seen, epoch: number): End | null => {
  if (plan.epoch < epoch || plan.consistency === 'local' || plan.underWay > 0 || moves.length > 0) return null
  if (plan.moves.length > 0) return plan.isPaused ? 'paused' : null
  if (plan.blocked.length > 0) return 'blocked'
  return plan.heldBack.length > 0 ? 'heldBack' : 'done'
}

const unfinished: Readonly<Record<Exclude<End, 'done'>, (plan: PlanAnswer) => string>> = {
  paused: ({ moves }) => `the cluster is paused, with ${moves.length} moves to come: "shardkv plan --apply --follow" lets them begin`,
  blocked: ({ blocked }) => `all else is done, but ${blocked.map(groupText).join(', ')} can not be moved without a majority of live, `
    + 'undamaged replicas: start the nodes that are down',
  heldBack: (plan) => `all else is done; ${heldBackText(plan)}`,
}

const showerOf = (io: CliIo, format: OutputFormat): Show => {
  if (format !== 'table') return documents(io, format)
  return io.isOutputTty ? inPlace(io) : lines(io)
}

const documents = (io: CliIo, format: 'raw' | 'json'): Show => {
  const textOf = ({ plan, moves }: Seen): string => {
    const { epoch, isPaused, blocked, heldBack } = plan
    if (format === 'raw') return tabbed(moves.map(moveFields))
    return JSON.stringify({ epoch, isPaused, left: plan.moves.length, blocked, heldBack, moves })
  }
  return async (now, before) => {
    const text = textOf(now)
    if ((before === null || text !== textOf(before)) && text !== '') await io.print(`${text}\n`)
  }
}

/** Drawn over the frame before. */
const inPlace = (io: CliIo): Show => {
  let drawn = 0
  return async ({ plan, moves }) => {
    const frame = [summaryText(plan), ...(moves.length === 0 ? [] : movesTable(moves).split('\n'))]
    const up = drawn === 0 ? '' : `${ESCAPE}[${drawn}A`
    drawn = frame.length
    await io.print(`${up}${NO_WRAP}${frame.map((line) => `\r${line}${CLEAR_LINE}\n`).join('')}${CLEAR_BELOW}${WRAP}`)
  }
}

const lines = (io: CliIo): Show => async (now, before) => {
  for (const line of changesOf(now, before)) await io.print(`${line}\n`)
}

const changesOf = ({ plan, moves }: Seen, before: Seen | null): string[] => {
  const found = moves.flatMap((move) => {
    const old = before?.moves.find(({ id }) => id === move.id)
    return old !== undefined && old.step === move.step && copiedPart(old) === copiedPart(move) ? [] : [moveText(move)]
  })
  const ended = (before?.moves ?? []).filter(({ id }) => moves.every((move) => move.id !== id))
    .map(({ id, step }) => `move ${id} ${step === 'undoing' ? 'is undone' : 'is done'}`)
  const isSame = before !== null && summaryText(plan) === summaryText(before.plan)
  return [...ended, ...found, ...(isSame ? [] : [summaryText(plan)])]
}

const copiedPart = ({ bytes }: Move): number =>
  (bytes === null || bytes.total === 0 ? -1 : Math.floor((bytes.done * COPIED_PARTS) / bytes.total))

const moveText = (move: Move): string => {
  const copied = move.bytes === null ? '' : `, ${copiedText(move)}, ${rateText(move)}, ends in ${etaText(move)}`
  return `move ${move.id}: ${move.group === 'meta' ? '' : 'shard '}${groupText(move.group)} ${changeText(move)} ${move.step}${copied}`
}

const summaryText = (plan: PlanAnswer): string => {
  const blocked = plan.blocked.length === 0 ? '' : `, ${plan.blocked.length} shards not touched`
  const held = plan.heldBack.length === 0 ? '' : `, ${plan.heldBack.length} held back`
  const paused = plan.isPaused ? '; paused' : ''
  return `${plan.moves.length} moves to come, ${plan.underWay} under way${blocked}${held}${paused}${localText(plan)}`
}
