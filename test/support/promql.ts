/**
 * As much of PromQL as the alert rules of this repository use, over series held in memory, so that what is tested is the expression that an
 * operator's Prometheus evaluates and not a second version of it in TypeScript.
 *
 *   expression   = or-ed comparisons of sums of products, as in Prometheus: `or` binds least, then == != > < >= <=, then + -, then * /
 *   operand      = number | ( expression ) | sum|max|min|count [by (labels)] (expression) | vector(number)
 *                | rate|increase|last_over_time|histogram_quantile(...) | name{matchers}[range]
 *
 * Departures: vectors match by all of their labels, as they do where no `on` is given, and there is no `on`; `increase` and `rate` take the
 * points of the range as they are and extrapolate nothing; a metric is looked for in the last five minutes, as by default. What the grammar
 * lacks is refused, never guessed.
 */

export type Labels = Readonly<Record<string, string>>

export interface Series {
  readonly name: string
  readonly labels: Labels
  /** Seconds and values, by time; null: the series was gone from here on. */
  readonly points: readonly (readonly [number, number | null])[]
}

export interface Sample {
  readonly labels: Labels
  readonly value: number
}

type Vector = readonly Sample[]
type Value = number | Vector

const LOOKBACK_SECONDS = 300

/** Throws where the expression is none of the above. */
export const evaluate = (expression: string, series: readonly Series[], atSeconds: number): Vector => {
  const reader = createReader(expression)
  const value = readOr({ reader, series, atSeconds })
  if (reader.peek() !== '') throw new Error(`not understood: ${reader.rest()}`)
  return vectorOf(value)
}

interface Reader {
  readonly peek: () => string
  readonly take: () => string
  /** Throws when the next token is another. */
  readonly expect: (token: string) => void
  readonly rest: () => string
}

interface Reading {
  readonly reader: Reader
  readonly series: readonly Series[]
  readonly atSeconds: number
}

const token = /\s*(\d+(?:\.\d+)?[smhd]|\d+(?:\.\d+)?|[a-zA-Z_:][a-zA-Z0-9_:]*|"(?:[^"\\]|\\.)*"|==|!=|>=|<=|=~|!~|[-+*/<>=(){}[\],])/y

const createReader = (text: string): Reader => {
  const tokens: string[] = []
  for (token.lastIndex = 0; token.lastIndex < text.trimEnd().length;) {
    const from = token.lastIndex
    const found = token.exec(text)
    if (found === null) throw new Error(`not understood: ${text.slice(from)}`)
    tokens.push(found[1] ?? '')
  }
  let at = 0
  const peek = (): string => tokens[at] ?? ''
  const take = (): string => {
    at += 1
    return tokens[at - 1] ?? ''
  }
  return {
    peek, take,
    expect: (wanted) => {
      if (take() !== wanted) throw new Error(`${wanted} is missing before ${tokens.slice(at - 1).join(' ')}`)
    },
    rest: () => tokens.slice(at).join(' '),
  }
}

const readOr = (reading: Reading): Value => {
  let value = readComparison(reading)
  while (reading.reader.peek() === 'or') {
    reading.reader.take()
    const left = vectorOf(value)
    const known = new Set(left.map(({ labels }) => keyOf(labels)))
    value = [...left, ...vectorOf(readComparison(reading)).filter(({ labels }) => !known.has(keyOf(labels)))]
  }
  return value
}

const comparisons: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '==': (a, b) => a === b, '!=': (a, b) => a !== b,
  '>': (a, b) => a > b, '<': (a, b) => a < b, '>=': (a, b) => a >= b, '<=': (a, b) => a <= b,
}
const operations: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b, '-': (a, b) => a - b, '*': (a, b) => a * b, '/': (a, b) => a / b,
}

/** Keeps what compares, with the value of its left side. */
const readComparison = (reading: Reading): Value => {
  let value = readOperations(reading, ['+', '-'])
  for (;;) {
    const compare = comparisons[reading.reader.peek()]
    if (compare === undefined) return value
    reading.reader.take()
    value = combined(vectorOf(value), readOperations(reading, ['+', '-']), (a, b) => (compare(a, b) ? a : null))
  }
}

const readOperations = (reading: Reading, among: readonly string[]): Value => {
  const operand = (): Value => (among.includes('*') ? readOperand(reading) : readOperations(reading, ['*', '/']))
  let value = operand()
  for (;;) {
    const operation = among.includes(reading.reader.peek()) ? operations[reading.reader.take()] : undefined
    if (operation === undefined) return value
    const right = operand()
    if (typeof value === 'number' && typeof right === 'number') value = operation(value, right)
    else if (typeof value === 'number') value = combined(vectorOf(right), value, (a, b) => operation(b, a))
    else value = combined(value, right, operation)
  }
}

const combined = (left: Vector, right: Value, combine: (a: number, b: number) => number | null): Vector => {
  const others = typeof right === 'number' ? null : new Map(right.map(({ labels, value }) => [keyOf(labels), value]))
  return left.flatMap(({ labels, value }) => {
    const other = typeof right === 'number' ? right : others?.get(keyOf(labels))
    const result = other === undefined ? null : combine(value, other)
    return result === null ? [] : [{ labels, value: result }]
  })
}

const aggregations: Readonly<Record<string, (values: readonly number[]) => number>> = {
  sum: (values) => values.reduce((sum, value) => sum + value, 0), count: (values) => values.length,
  max: (values) => Math.max(...values), min: (values) => Math.min(...values),
}
const functions: Readonly<Record<string, (reading: Reading) => Vector>> = {
  vector: (reading) => [{ labels: {}, value: numberOf(readOr(reading)) }],
  last_over_time: (reading) => over(reading, ({ values }) => values.at(-1) ?? null),
  increase: (reading) => over(reading, ({ values }) => increaseOf(values)),
  rate: (reading) => over(reading, ({ values, seconds }) => {
    const increase = increaseOf(values)
    return increase === null ? null : increase / seconds
  }),
  histogram_quantile: (reading) => {
    const quantile = numberOf(readOr(reading))
    reading.reader.expect(',')
    return quantilesOf(quantile, vectorOf(readOr(reading)))
  },
}

const readOperand = (reading: Reading): Value => {
  const { reader } = reading
  const first = reader.take()
  if (/^\d/.test(first)) return Number(first)
  if (first === '(') return inParentheses(reading, readOr)
  const aggregate = aggregations[first]
  if (aggregate !== undefined) {
    const by = readBy(reader)
    reader.expect('(')
    return aggregated(vectorOf(inParentheses(reading, readOr)), by, aggregate)
  }
  const called = functions[first]
  if (called !== undefined && reader.peek() === '(') {
    reader.take()
    return inParentheses(reading, called)
  }
  return latest(reading, first)
}

const inParentheses = (reading: Reading, read: (reading: Reading) => Value): Value => {
  const value = read(reading)
  reading.reader.expect(')')
  return value
}

const readBy = (reader: Reader): readonly string[] => {
  if (reader.peek() !== 'by') return []
  reader.take()
  reader.expect('(')
  const by: string[] = []
  for (let next = reader.take(); next !== ')'; next = reader.take()) if (next !== ',') by.push(next)
  return by
}

const aggregated = (vector: Vector, by: readonly string[], aggregate: (values: readonly number[]) => number): Vector => {
  const groups = new Map<string, { readonly labels: Labels; readonly values: number[] }>()
  for (const { labels, value } of vector) {
    const kept = Object.fromEntries(by.flatMap((label) => (labels[label] === undefined ? [] : [[label, labels[label]]])))
    const group = groups.get(keyOf(kept)) ?? { labels: kept, values: [] }
    group.values.push(value)
    groups.set(keyOf(kept), group)
  }
  return [...groups.values()].map(({ labels, values }) => ({ labels, value: aggregate(values) }))
}

/** The series of a name and the matchers that follow it. */
const selected = ({ reader, series }: Reading, name: string): readonly Series[] => {
  if (!/^[a-zA-Z_]/.test(name)) throw new Error(`not understood: ${name} ${reader.rest()}`)
  let found = series.filter((each) => each.name === name)
  if (reader.peek() !== '{') return found
  for (let next = reader.take(); next !== '}'; next = reader.take()) {
    if (reader.peek() === '}') continue
    const [label, operator, quoted] = [reader.take(), reader.take(), JSON.parse(reader.take()) as string]
    const matches = operator.endsWith('~') ? (text: string) => new RegExp(`^(?:${quoted})$`).test(text) : (text: string) => text === quoted
    found = found.filter(({ labels }) => matches(labels[label] ?? '') !== operator.startsWith('!'))
  }
  return found
}

const latest = (reading: Reading, name: string): Vector => selected(reading, name).flatMap(({ labels, points }) => {
  const [at = 0, value = null] = points.findLast(([seconds]) => seconds <= reading.atSeconds) ?? []
  return value === null || at <= reading.atSeconds - LOOKBACK_SECONDS ? [] : [{ labels, value }]
})

const secondsIn: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

interface Range {
  readonly values: readonly number[]
  readonly seconds: number
}

/** Null: there is nothing to say of it. */
const over = (reading: Reading, of: (range: Range) => number | null): Vector => {
  const found = selected(reading, reading.reader.take())
  reading.reader.expect('[')
  const text = reading.reader.take()
  reading.reader.expect(']')
  const seconds = Number(text.slice(0, -1)) * (secondsIn[text.at(-1) ?? ''] ?? Number.NaN)
  return found.flatMap(({ labels, points }) => {
    const values = points.filter(([at]) => at > reading.atSeconds - seconds && at <= reading.atSeconds)
      .map(([, value]) => value).filter((value) => value !== null)
    const value = of({ values, seconds })
    return value === null ? [] : [{ labels, value }]
  })
}

/** A counter that goes back has begun again at 0. One point has no increase. */
const increaseOf = (values: readonly number[]): number | null => (values.length < 2 ? null : values.reduce((sum, value, i) => {
  const before = values[i - 1] ?? value
  return sum + (value < before ? value : value - before)
}, 0))

const quantilesOf = (quantile: number, buckets: Vector): Vector => {
  const groups = new Map<string, { readonly labels: Labels; readonly bounds: (readonly [number, number])[] }>()
  for (const { labels: { le = '', ...labels }, value } of buckets) {
    const group = groups.get(keyOf(labels)) ?? { labels, bounds: [] }
    group.bounds.push([le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), value])
    groups.set(keyOf(labels), group)
  }
  return [...groups.values()].map(({ labels, bounds }) => ({ labels, value: quantileOf(quantile, bounds.toSorted(([a], [b]) => a - b)) }))
}

/** Linear within its bucket; in the last one its lower bound. Not a number where nothing was observed. */
const quantileOf = (quantile: number, bounds: readonly (readonly [number, number])[]): number => {
  const total = bounds.at(-1)?.[1] ?? 0
  if (total === 0) return Number.NaN
  const rank = quantile * total
  const at = bounds.findIndex(([, count]) => count >= rank)
  const [[upper, count] = [0, 0], [lower, below] = [0, 0]] = [bounds[at], bounds[at - 1]]
  return upper === Number.POSITIVE_INFINITY ? lower : lower + ((upper - lower) * (rank - below)) / (count - below)
}

const vectorOf = (value: Value): Vector => {
  if (typeof value === 'number') throw new Error('a number is no alert')
  return value
}

const numberOf = (value: Value): number => {
  if (typeof value !== 'number') throw new Error('a number is wanted')
  return value
}

const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)))
