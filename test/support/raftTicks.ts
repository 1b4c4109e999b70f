/** How the harness lets time pass: every tick by itself, or owed as a node owes it (kernel/owedTicks.ts). */

import { createOwedTicks } from '../../actors/kernel/owedTicks.ts'
import { createTickBoard } from '../../actors/kernel/tickBoard.ts'
import { dueInTicks, isTickDue } from '../../actors/raft/timers.ts'
import type { TickEvent } from '../../actors/kernel/owedTicks.ts'
import type { RaftEvent } from '../../actors/raft/protocol.ts'
import type { HarnessMember } from './raftHarness.ts'

interface Passing {
  readonly isOwed: boolean
  /** Effects carried out so far. */
  readonly performed: () => number
}

/** For one life of a member. Whatever a test does: a tick that is called not due does nothing. */
export const createTicks = (
  { id, core, shell }: HarnessMember, { isOwed, performed }: Passing,
): { readonly send: (event: RaftEvent) => void } => {
  const board = createTickBoard()
  const owed = createOwedTicks<RaftEvent>({
    board, isDue: (tick) => isTickDue(core, tick), dueInTicks: () => dueInTicks(core), give: shell.send,
  })
  const passOne = (tick: TickEvent): void => {
    const isIdle = !isTickDue(core, tick)
    // One of no ticks is a test's own.
    if (!isIdle && tick.ticks > 0 && tick.ticks < dueInTicks(core)) throw new Error(`a tick of ${id} was due before its time`)
    const before = performed()
    shell.send(tick)
    if (isIdle && performed() > before) throw new Error(`a tick of ${id} that was not due did something`)
  }
  return {
    send: (event) => {
      if (event.type === 'tick') {
        if (isOwed) board.pass(event)
        else passOne(event)
        return
      }
      owed.send(event)
    },
  }
}
