/**
 * Measuring memory opens files. Without a free descriptor that throws, and neither a report nor a look at the memory may end a node that
 * works otherwise: what was measured last is the best there is then, `first` before anything was.
 */
export const lastGood = <Measured>(measure: () => Measured, first: Measured): (() => Measured) => {
  let good = first
  return () => {
    try {
      good = measure()
    } catch {
      // What was measured last.
    }
    return good
  }
}

/** Memory of this process that is in RAM; 0 before it could be measured. */
export const createResidentBytes = (): (() => number) => lastGood(() => process.memoryUsage.rss(), 0)
