/** Sizes and rates for people. */

const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const
const COUNTS = ['', 'k', 'M', 'G', 'T'] as const

/** `1536` is `1.5 KiB`. */
export const bytesText = (bytes: number): string => {
  const { value, unit } = scaled(bytes, 1_024, SIZES)
  return `${unit === 'B' ? value.toFixed(0) : short(value)} ${unit}`
}

/** `18300` is `18.3k`; whole numbers below a thousand stay whole. */
export const countText = (count: number): string => {
  const { value, unit } = scaled(count, 1_000, COUNTS)
  return `${unit === '' ? (Number.isInteger(count) || count >= 10 ? count.toFixed(0) : count.toFixed(1)) : short(value)}${unit}`
}

const scaled = (amount: number, step: number, units: readonly string[]): { readonly value: number; readonly unit: string } => {
  let value = amount
  let power = 0
  while (value >= step && power < units.length - 1) {
    value /= step
    power += 1
  }
  return { value, unit: units[power] ?? '' }
}

/** Three digits are enough to compare by. */
const short = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0))
