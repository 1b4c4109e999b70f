/**
 * Is a total the sum of some of these amounts, each used at most once?
 *
 * The sums reachable so far, amount by amount, the largest first; a sum is dropped where the amounts that remain can no longer close
 * the gap. So few survive where each amount outweighs all smaller ones together (powers of two: one or two), and where amounts are
 * small there are no more sums than there are integers between the least and the greatest.
 */

/** With more sums than this the question is not answered. */
const SUMS_MAX = 200_000

/** Throws a RangeError when there are too many sums to try. Amounts and their sums are safe integers. */
export const isSumOfSome = (total: number, amounts: readonly number[]): boolean => {
  const ordered = [...amounts].sort((a, b) => Math.abs(b) - Math.abs(a))
  let least = 0
  let greatest = 0
  for (const amount of ordered) {
    least += Math.min(0, amount)
    greatest += Math.max(0, amount)
  }
  let sums = new Set([0])
  for (const amount of ordered) {
    least -= Math.min(0, amount)
    greatest -= Math.max(0, amount)
    const reached = new Set<number>()
    for (const sum of sums) {
      for (const next of [sum, sum + amount]) {
        if (total - next >= least && total - next <= greatest) reached.add(next)
      }
    }
    if (reached.size > SUMS_MAX) throw new RangeError(`more than ${SUMS_MAX} sums of ${amounts.length} amounts`)
    sums = reached
  }
  return sums.has(total)
}
