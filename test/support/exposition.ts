/** Prometheus text and OpenMetrics, read back as a scraper does: one sample a line, its labels, its exemplar. */

export interface ScrapedSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly exemplar: string | null
}

export interface Scrape {
  /** By family. */
  readonly types: ReadonlyMap<string, string>
  readonly samples: readonly ScrapedSample[]
  /** The sum of the samples of a name whose labels include these; undefined when there is none. */
  readonly value: (name: string, labels?: Readonly<Record<string, string>>) => number | undefined
}

const line = /^([a-z_][a-z0-9_]*)(?:\{(.*?)\})? (\S+)(?: # (\{.*\} \S+ \S+))?$/i

export const parseExposition = (text: string): Scrape => {
  const types = new Map<string, string>()
  const samples: ScrapedSample[] = []
  for (const each of text.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(each)
    if (type !== null) types.set(type[1] ?? '', type[2] ?? '')
    if (each === '' || each.startsWith('#')) continue
    const found = line.exec(each)
    if (found === null) throw new Error(`not a sample: ${each}`)
    samples.push({ name: found[1] ?? '', labels: labelsOf(found[2] ?? ''), value: numberOf(found[3] ?? ''), exemplar: found[4] ?? null })
  }
  const value: Scrape['value'] = (name, labels = {}) => {
    const matching = samples.filter((sample) => sample.name === name
      && Object.entries(labels).every(([label, wanted]) => sample.labels[label] === wanted))
    return matching.length === 0 ? undefined : matching.reduce((sum, sample) => sum + sample.value, 0)
  }
  return { types, samples, value }
}

const labelsOf = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries([...text.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = '', value = '']) => [name, value]))

const numberOf = (text: string): number => {
  const value = text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text)
  if (Number.isNaN(value)) throw new Error(`not a value: ${text}`)
  return value
}
