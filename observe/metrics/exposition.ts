/**
 * The node's metrics as text: families are read when somebody asks, and prom-client writes them down, as Prometheus text or as OpenMetrics
 * with exemplars. prom-client counts nothing: its instruments cost ten times as much an observation as those of observe/instruments.ts.
 *
 * A registry renames the counters it holds for OpenMetrics, so each of the two has its own.
 */

import { Registry } from 'prom-client'
import { countBelow, totalOf } from '../../actors/kernel/histogram.ts'
import { nodeFamilies } from './nodeFamilies.ts'
import { paced } from './pace.ts'
import { raftFamilies } from './raftFamilies.ts'
import { requestFamilies } from './requestFamilies.ts'
import { traceFamilies } from './traceFamilies.ts'
import type { Metric, OpenMetricsContentType } from 'prom-client'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { Render } from './pace.ts'
import type { Bounds, Distribution, Family, Labels, Readings } from './family.ts'

export const families: readonly Family[] = [...requestFamilies, ...raftFamilies, ...nodeFamilies, ...traceFamilies]

/** As prom-client's registry takes it. */
interface Value {
  readonly labels: Labels
  readonly value: number
  readonly metricName?: string
  readonly exemplar?: { readonly labelSet: Labels; readonly value: number; readonly timestamp: number }
}

export const createExposition = (read: () => Readings, clock: Pick<Clock, 'now' | 'after'>): Render => {
  let readings: Readings | null = null
  const current = (): Readings => readings ?? read()
  const text = fill(new Registry(), current)
  const open = fill(openMetricsRegistry(), current)
  return paced(async (isOpenMetrics) => {
    // One reading for all families of an answer; every family is read before the first of them is awaited.
    readings = read()
    const registry = isOpenMetrics ? open : text
    const written = registry.metrics()
    readings = null
    return { contentType: registry.contentType, text: await written }
  }, clock)
}

/** Its types know one kind of registry at a time. */
const openMetricsRegistry = (): Registry<OpenMetricsContentType> => {
  const registry = new Registry() as unknown as Registry<OpenMetricsContentType>
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  return registry
}

const fill = <T extends Registry | Registry<OpenMetricsContentType>>(registry: T, read: () => Readings): T => {
  for (const family of families) registry.registerMetric(metricOf(family, read) as unknown as Metric)
  return registry
}

/** What a registry asks of a metric. */
const metricOf = ({ help, type, ...family }: Family, read: () => Readings) => ({
  name: family.name,
  help,
  type,
  get() {
    const values = 'bounds' in family
      ? family.read(read()).flatMap((each) => bucketsOf(family.name, family.bounds, each))
      : family.read(read())
    return { name: this.name, help, type, values }
  },
})

const bucketsOf = (name: string, { exponents: [first, last], scale, isWhole }: Bounds, { labels, of, examples }: Distribution): Value[] => {
  const sparse = of.sparse()
  const total = totalOf(sparse)
  const values: Value[] = []
  const bucket = (le: string, value: number, exponent: number): void => {
    const example = examples?.get(exponent)
    values.push({
      metricName: `${name}_bucket`, labels: { le, ...labels }, value,
      ...(example === undefined ? {} : {
        exemplar: { labelSet: { trace_id: example.traceId }, value: example.seconds, timestamp: example.atSeconds },
      }),
    })
  }
  for (let exponent = first; exponent <= last; exponent += 1) {
    bucket(String(Number(((isWhole ? 2 ** exponent - 1 : 2 ** exponent) * scale).toPrecision(12))), countBelow(sparse, exponent), exponent)
  }
  bucket('+Inf', total, last + 1)
  values.push({ metricName: `${name}_sum`, labels, value: of.sum() * scale }, { metricName: `${name}_count`, labels, value: total })
  return values
}
