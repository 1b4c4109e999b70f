/**
 * `npm run sim -- --gossip`: the failure detector at scale, in virtual time. Prints the tables of docs/SCALE.md and writes its plot.
 *
 *   npm run sim -- --gossip                                everything, a few minutes
 *   npm run sim -- --gossip --nodes 100 [--seed 7]         groups of this size only; writes no plot
 *   npm run sim -- --gossip --soak 1000                    so many small groups, held to the bars of docs/SCALE.md (soak.ts)
 *
 * The same seed gives the same figures, whatever the machine.
 */

import { parseArgs } from 'node:util'
import { createLocalFiles } from '../../storage/localFiles.ts'
import { comparisons, conditions } from './conditions.ts'
import { drawPlot } from './plot.ts'
import { measure } from './measure.ts'
import { soak, soakLine } from './soak.ts'
import { comparisonTable, medianOf, scaleTable } from './tables.ts'
import type { Condition, Measurement } from './measure.ts'

interface GossipWorld {
  readonly root: string
  readonly say: (line: string) => void
}

const SEED_DEFAULT = 1
/** The bar for slow agreement is a 99th percentile. */
const SLOW_SHARE_MAX = 0.01
const PLOT = 'docs/gossip-scale.svg'

/** Resolves with the number of failures: crashes that somebody never learnt of, and bars that were missed. */
export const runGossip = async (args: readonly string[], { root, say }: GossipWorld): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: { gossip: { type: 'boolean' }, nodes: { type: 'string' }, seed: { type: 'string' }, soak: { type: 'string' } },
  })
  const seed = Number(values.seed ?? SEED_DEFAULT)
  if (values.soak !== undefined) {
    const found = soak(seed, Number(values.soak))
    say(soakLine(found))
    return found.falseDeaths + Math.floor(found.slow / (SLOW_SHARE_MAX * found.seeds))
  }
  const isWanted = ({ nodes }: Condition): boolean => values.nodes === undefined || nodes === Number(values.nodes)
  const measured = (wanted: readonly Condition[]): readonly Measurement[] => wanted.filter(isWanted).map((condition) => {
    const found = measure(condition, seed)
    say(`measured ${condition.nodes} nodes, ${condition.name}: ${Math.round(medianOf(found.allDeaths))} ms until all know`)
    return found
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
