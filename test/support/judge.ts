/** What a load saw, judged by the simulator's own checkers. */

import { describeOperation } from '../../sim/history.ts'
import { checkExactlyOnce } from '../../sim/exactlyOnce.ts'
import { checkLinearizability } from '../../sim/linearizability.ts'
import { readFinals } from './load.ts'
import type { Bus } from '../../bus/port.ts'
import type { Load } from './load.ts'

/** Throws unless no acknowledged write was lost, no read was wrong and nothing was executed twice; the number of operations judged. */
export const judge = async (bus: Bus, load: Load): Promise<number> => {
  const { history, counters } = await readFinals(bus, load)
  const verdict = checkLinearizability(history)
  if (verdict.kind === 'violation') throw new Error(`${verdict.key}:\n${verdict.operations.map(describeOperation).join('\n')}`)
  if (verdict.kind === 'tooHard') throw new Error(`the history of ${verdict.key} is too hard to check: let the clients pause for longer`)
  const problems = checkExactlyOnce({ history, finals: counters, repeats: new Map() })
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return history.length
}
