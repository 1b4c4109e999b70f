/** Times and amounts for people. */

const two = (number: number): string => String(number).padStart(2, '0')

/** `14:03:07.412`, by the clock of whoever looks. */
export const clockTime = (at: number): string => {
  const date = new Date(at)
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

/** `3 s`, `4 min`, `2 h`. */
export const duration = (ms: number): string => {
  const seconds = Math.max(0, ms) / 1_000
  if (seconds < 1) return `${Math.round(seconds * 1_000)} ms`
  if (seconds < 100) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
}

export const micros = (value: number): string =>
  (value < 1_000 ? `${Math.round(value)} µs` : value < 10_000 ? `${(value / 1_000).toFixed(2)} ms` : `${(value / 1_000).toFixed(1)} ms`)

/** A name where there is little room; whoever needs all of it finds it in a title or a table. */
export const shortened = (name: string, charactersMax: number): string =>
  (name.length <= charactersMax ? name : `${name.slice(0, charactersMax - 1)}…`)

export const counted = (value: number): string => Math.round(value).toLocaleString('en')
