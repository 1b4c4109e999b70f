/**
 * `npm run sim -- --gossip`: the failure detector at scale, in virtual time. Prints the tables of docs/SCALE.md and writes its plot.
 *
 *   npm run sim -- --gossip                                everything, a few minutes
 *   npm run sim -- --gossip --nodes 100 [--seed 7]         groups of this size only; writes no plot
 *
 * The same seed gives the same figures, whatever the machine.
 */

import { parseArgs } from 'node:util'
import { createLocalFiles } from '../../storage/localFiles.ts'
import { comparisons, conditions } from './conditions.ts'
import { drawPlot } from './plot.ts'
import { measure } from './measure.ts'
import { comparisonTable, scaleTable } from './tables.ts'
import type { Condition, Measurement } from './measure.ts'

interface GossipWorld {
  readonly root: string
  readonly say: (line: string) => void
}

const SEED_DEFAULT = 1
const PLOT = 'docs/gossip-scale.svg'

/** Resolves with the number of failures: crashes that somebody never learnt of. */
export const runGossip = async (args: readonly string[], { root, say }: GossipWorld): Promise<number> => {
  const { values } = parseArgs({
    args: [...args], options: { gossip: { type: 'boolean' }, nodes: { type: 'string' }, seed: { type: 'string' } },
  })
  const seed = Number(values.seed ?? SEED_DEFAULT)
  const isWanted = ({ nodes }: Condition): boolean => values.nodes === undefined || nodes === Number(values.nodes)
  const measured = (wanted: readonly Condition[]): readonly Measurement[] => wanted.filter(isWanted).map((condition) => {
    say(`measuring ${condition.name}, ${condition.nodes} nodes`)
    return measure(condition, seed)
  })
  const scale = measured(conditions)
  if (scale.length > 0) say(`\n${scaleTable(scale)}\n`)
  const compared = measured(comparisons)
  if (compared.length > 0) say(`\n${comparisonTable(compared)}\n`)
  if (values.nodes === undefined) {
    const files = createLocalFiles()
    await files.writeAtomically(`${root}/${PLOT}`, drawPlot(scale))
    say(`the plot is in ${PLOT}`)
  }
  return [...scale, ...compared].flatMap(({ allDeaths }) => allDeaths).filter(Number.isNaN).length
}
