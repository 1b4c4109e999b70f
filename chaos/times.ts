/** Times that a run measures, their bars, and how far above its bar a time fails the run: machines are shared. */

export interface Times {
  /** From the death of a leader to the next acknowledgement of each shard that it led, in ms. */
  readonly leaderKilled: number[]
  /** From a broker's death to the next acknowledgement of every shard. */
  readonly brokerRestarted: number[]
  /** From the end of all harm until every shard acknowledges and nothing is unresolved. */
  readonly settled: number[]
  /** From there until all moves are done, where members came and went; it has a deadline, and no bar. */
  readonly membersSettled: number[]
}

export const SLACK = 3

export const bars = { leaderKilledP95: 2_000, brokerRestartedMax: 5_000, settledMax: 10_000 } as const

export const noTimes = (): Times => ({ leaderKilled: [], brokerRestarted: [], settled: [], membersSettled: [] })

export const percentile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0

export interface TimeFigures {
  readonly leaderKilledMedianMs: number
  readonly leaderKilledP95Ms: number
  readonly leaderKilledSamples: number
  readonly brokerRestartedMaxMs: number
  readonly brokerRestartedSamples: number
  readonly settledMaxMs: number
  readonly settledSamples: number
  readonly membersSettledMaxMs: number
}

export const figuresOf = ({ leaderKilled, brokerRestarted, settled, membersSettled }: Times): TimeFigures => ({
  leaderKilledMedianMs: Math.round(percentile(leaderKilled, 0.5)),
  leaderKilledP95Ms: Math.round(percentile(leaderKilled, 0.95)),
  leaderKilledSamples: leaderKilled.length,
  brokerRestartedMaxMs: Math.round(Math.max(0, ...brokerRestarted)),
  brokerRestartedSamples: brokerRestarted.length,
  settledMaxMs: Math.round(Math.max(0, ...settled)),
  settledSamples: settled.length,
  membersSettledMaxMs: Math.round(Math.max(0, ...membersSettled)),
})

/** One sentence per time that is above three times its bar. */
export const timeProblems = (figures: TimeFigures): readonly string[] => [
  ...late('the next acknowledgement after a leader was killed (p95)', figures.leaderKilledP95Ms, bars.leaderKilledP95),
  ...late('the next acknowledgement after a broker restart', figures.brokerRestartedMaxMs, bars.brokerRestartedMax),
  ...late('healing until nothing is unresolved', figures.settledMaxMs, bars.settledMax),
]

/** Of a campaign that is to measure them: a time that nobody measured is below every bar. Brokers are restarted in one storm of some. */
export const unmeasured = (
  { leaderKilledSamples, brokerRestartedSamples, settledSamples }: TimeFigures, areBrokersRestarted: boolean,
): readonly string[] => [
  ...none('the next acknowledgement after a leader was killed', leaderKilledSamples),
  ...(areBrokersRestarted ? none('the next acknowledgement after a broker restart', brokerRestartedSamples) : []),
  ...none('healing until nothing is unresolved', settledSamples),
]

const none = (what: string, samples: number): readonly string[] => (samples > 0 ? [] : [`${what} was never measured`])

const late = (what: string, ms: number, bar: number): readonly string[] =>
  (ms > bar * SLACK ? [`${what} took ${ms} ms: above ${SLACK} times its bar of ${bar} ms`] : [])
