/**
 * Ticks that would change nothing but counters are owed, and given together: a node with hundreds of quiet groups would otherwise spend
 * most of its time on telling each of them, ten times a second, that nothing is due.
 *
 *   tick ──▶ the board (kernel/tickBoard.ts) ──not asleep──▶ due? ──▶ one tick with all that is owed ──▶ the chart
 *   any other event ──▶ what is owed first, then the event; then: how long can nothing be due? ──▶ asleep for as long
 *
 * So an actor never sees an event before the time that passed before it, and a tick at which something is due comes when it did. What is
 * asked of `isDue`: a tick that it calls not due has no effect and changes counters by as much as its ticks, whatever it is called with
 * afterwards. Of `dueInTicks`: as long as no other event comes, no tick of fewer ticks than that is due. Laws
 * (test/actors/raft/owedTicks.test.ts, test/actors/shard/owedTicks.test.ts): an actor says the same with every tick and with owed ones.
 */

import type { TickBoard } from './tickBoard.ts'
import type { Tick } from './ticker.ts'

export interface TickEvent extends Tick {
  readonly type: 'tick'
}

export interface OwedTicks<Event> {
  /** Hands over an event, after what is owed. */
  readonly send: (event: Event) => void
  readonly leave: () => void
}

export interface OwedTicksOptions<Event> {
  readonly board: TickBoard
  readonly isDue: (tick: TickEvent) => boolean
  /** At least 1; infinite when only an event can bring something. */
  readonly dueInTicks: () => number
  readonly give: (event: Event | TickEvent) => void
}

type Owed = { -readonly [Field in keyof TickEvent]: TickEvent[Field] }

export const createOwedTicks = <Event>({ board, isDue, dueInTicks, give }: OwedTicksOptions<Event>): OwedTicks<Event> => {
  const { passed } = board
  const owed: Owed = { type: 'tick', ticks: 0, now: 0, wallMs: 0 }
  let given = passed.ticks
  const isOwed = (): boolean => {
    owed.ticks = passed.ticks - given
    owed.now = passed.now
    owed.wallMs = passed.wallMs
    return owed.ticks > 0
  }
  const settle = (): void => {
    if (!isOwed()) return
    given = passed.ticks
    give({ type: 'tick', ticks: owed.ticks, now: owed.now, wallMs: owed.wallMs })
  }
  const doze = (): void => seat.sleepUntil(given + dueInTicks())
  const seat = board.seat(() => {
    if (isOwed() && isDue(owed)) settle()
    doze()
  })
  return {
    send: (event) => {
      settle()
      give(event)
      doze()
    },
    leave: seat.leave,
  }
}
