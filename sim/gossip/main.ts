/**
 * `npm run sim -- --gossip`: the failure detector at scale, in virtual time. Prints the tables of docs/SCALE.md and writes its plot.
 *
 * With `--nodes` groups of this size only, and no plot; with `--soak` so many small groups, held to the bars of docs/SCALE.md (soak.ts).
 * The same seed gives the same figures, whatever the machine.
 */

import { parseArgs } from 'node:util'
import { wholeNumberFrom1 } from '../../lanes/usage.ts'
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
  const seed = wholeNumberFrom1('seed', values.seed) ?? SEED_DEFAULT
  const [wanted, soaked] = [wholeNumberFrom1('nodes', values.nodes), wholeNumberFrom1('soak', values.soak)]
  if (soaked !== undefined) {
    const found = soak(seed, soaked)
    say(soakLine(found))
    return found.falseDeaths + Math.floor(found.slow / (SLOW_SHARE_MAX * found.seeds))
  }
  const isWanted = ({ nodes }: Condition): boolean => wanted === undefined || nodes === wanted
  const measured = (all: readonly Condition[]): readonly Measurement[] => all.filter(isWanted).map((condition) => {
    const found = measure(condition, seed)
    say(`measured ${condition.nodes} nodes, ${condition.name}: ${Math.round(medianOf(found.allDeaths))} ms until all know`)
    return found
  })
  const scale = measured(conditions)
  if (scale.length > 0) say(`\n${scaleTable(scale)}\n`)
  const compared = measured(comparisons)
  if (compared.length > 0) say(`\n${comparisonTable(compared)}\n`)
  if (wanted === undefined) {
    const files = createLocalFiles()
    await files.writeAtomically(`${root}/${PLOT}`, drawPlot(scale))
    say(`the plot is in ${PLOT}`)
  }
  return [...scale, ...compared].flatMap(({ allDeaths }) => allDeaths).filter(Number.isNaN).length
}
