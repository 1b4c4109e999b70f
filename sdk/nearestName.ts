/** The name that somebody meant who wrote another one. */

/** Of `names`, the one that takes the fewest changes of letters to come to; null when none is near. Upper case is no difference. */
export const nearestName = (written: string, names: readonly string[]): string | null => {
  const ranked = names
    .map((name) => ({ name, changes: changesBetween(written.slice(0, WRITTEN_CHARACTERS_MAX).toLowerCase(), name.toLowerCase()) }))
    .toSorted((a, b) => a.changes - b.changes)
  const [best] = ranked
  return best !== undefined && best.changes <= Math.max(CHANGES_MAX, best.name.length / 3) ? best.name : null
}

const CHANGES_MAX = 2
const WRITTEN_CHARACTERS_MAX = 100

/** Letters put in, left out or exchanged (Levenshtein 1966), row by row. */
const changesBetween = (from: string, to: string): number => {
  let above = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= to.length; j += 1) {
      const exchanged = (above[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      row.push(Math.min(exchanged, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1))
    }
    above = row
  }
  return above.at(-1) ?? 0
}
