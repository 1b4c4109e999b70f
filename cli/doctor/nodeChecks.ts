/** What the doctor says about the nodes: who answers, their clocks, disks and event loops. One finding a check: the worst counts. */

import { quantileOf, totalOf } from '../../actors/kernel/histogram.ts'
import { LIVE_FINE, LIVE_SHORT } from '../../observe/memoryRoom.ts'
import { bytesText } from '../units.ts'
import { note, ok, problem } from './finding.ts'
import type { MemoryUse } from '../../observe/memoryRoom.ts'
import type { NodeReport, NodeVitals } from '../../topology/report.ts'
import type { Evidence } from './evidence.ts'
import type { Finding } from './finding.ts'

/** Expiry and announcements tolerate it; people who compare logs do not. */
const CLOCK_MS_WELL = 500
/** A new leader begins with the time that most of its voters' clocks have reached: times to live are wrong by up to this much. */
const CLOCK_MS_MAX = 5_000
const DISK_BYTES_MIN = 1_024 ** 3
const DISK_SHARE_MIN = 0.05
/** The shortest election timeout: a disk or a loop that stalls longer costs a leader its leadership. */
const ELECTION_MS_MIN = 500
const SYNC_MS_WELL = 20
const LOOP_MS_WELL = 100

export const checkNodes = ({ second, prefix: own }: Evidence): readonly Finding[] => {
  const reports = second.map(({ report }) => report)
  const clusters = new Set(reports.map(({ cluster }) => cluster))
  const members = [...new Set(reports.flatMap((report) => report.members))]
  const silent = members.filter((member) => !reports.some(({ node }) => node.id === member))
  const idle = reports.filter(({ node }) => node.state !== 'serving').map(({ node }) => `${node.id} is ${node.state}`)
  const versions = new Set(reports.map(({ node }) => node.version ?? 'unknown'))
  if (clusters.size > 1) {
    const found = `${clusters.size} clusters answer on one prefix: ${[...clusters].join(', ')}`
    return [problem('nodes', found, 'give each a prefix of its own')]
  }
  const elsewhere = new Map(reports.flatMap(({ otherPrefixes = [] }) => otherPrefixes.map(({ node, prefix }) => [node, prefix])))
  if (elsewhere.size > 0) {
    const found = [...elsewhere].map(([node, prefix]) => `${node} serves the prefix ${prefix}`).join(', ')
    return [problem('nodes', `${found}: clients of ${own} do not reach it`, `restart it with --prefix ${own}`)]
  }
  if (silent.length > 0) {
    return [problem('nodes', `${silent.join(', ')} of ${members.length} ${silent.length === 1 ? 'does' : 'do'} not answer`,
      'see whether the process runs and what the end of its log says')]
  }
  if (idle.length > 0) return [problem('nodes', idle.join(', '), 'wait if it has just started; otherwise its log says what it waits for')]
  if (versions.size > 1) return [note('nodes', `they run ${[...versions].join(' and ')}`, 'update the others')]
  return [ok('nodes', `${reports.map(({ node }) => node.id).join(', ')} serve, version ${[...versions].join('')}`)]
}

/** A report was made somewhere between question and answer, so its clock is known to half of that time. */
export const checkClocks = ({ first }: Evidence): readonly Finding[] => {
  const skews = first.map(({ report, askedMs, heardMs }) => {
    const barMs = (heardMs - askedMs) / 2
    const skewMs = report.node.wallMs - (askedMs + heardMs) / 2
    return { id: report.node.id, skewMs, barMs, sureMs: Math.max(0, Math.abs(skewMs) - barMs) }
  })
  const worst = skews.toSorted((a, b) => b.sureMs - a.sureMs)[0]
  if (worst === undefined) return []
  const skewText = (ms: number): string => `${ms < 0 ? '-' : '+'}${Math.abs(ms).toFixed(0)}`
  const found = skews.map(({ id, skewMs, barMs }) => `${id} ${skewText(skewMs)} ms (± ${barMs.toFixed(0)})`)
  const text = `against this machine: ${found.join(', ')}`
  const cure = `run a time service (chrony, systemd-timesyncd) on ${worst.id} and here`
  if (worst.sureMs > CLOCK_MS_MAX) return [problem('clocks', `${text}: times to live may be wrong by as much`, cure)]
  return [worst.sureMs > CLOCK_MS_WELL ? note('clocks', text, cure) : ok('clocks', text)]
}

export const checkDisks = ({ second }: Evidence): readonly Finding[] => {
  const reports = second.map(({ report }) => report)
  const full = reports.filter(({ node }) => node.diskFull).map(({ node }) => node.id)
  if (full.length > 0) {
    return [problem('disk space', `full on ${full.join(', ')}: writes are refused`, 'free space there; writes resume by themselves')]
  }
  const spaces = reports.flatMap(({ node }) => (node.vitals?.disk ? [{ id: node.id, ...node.vitals.disk }] : []))
  const short = spaces.filter(({ freeBytes, totalBytes }) => freeBytes < DISK_BYTES_MIN || freeBytes < totalBytes * DISK_SHARE_MIN)
  const text = spaces.map(({ id, freeBytes }) => `${id} ${bytesText(freeBytes)} free`).join(', ')
  if (short.length > 0) {
    const where = short.map(({ id }) => id).join(', ')
    return [problem('disk space', `nearly full on ${where}: ${text}`, 'free space before writes are refused')]
  }
  return spaces.length === 0 ? [] : [ok('disk space', text)]
}

/** Nothing where nobody measures it: nodes of before. */
export const checkMemory = ({ second }: Evidence): readonly Finding[] => {
  const measured = second.flatMap(({ report: { node } }) => (node.memory === undefined ? [] : [{ id: node.id, ...node.memory }]))
  const short = measured.filter(({ shortage }) => shortage !== null)
  if (short.length > 0) {
    const cure = short.some(({ shortage }) => shortage === 'heap')
      ? 'delete keys, add nodes, or restart them with a higher --max-old-space-size (NODE_OPTIONS)'
      : 'delete keys, add nodes, or give the machine or the container more; where much was deleted already, restart them one by one'
    const where = short.map(({ id, shortage }) => `${id} (${shortage === 'heap' ? 'its heap' : 'the process'})`).join(', ')
    return [problem('memory', `short on ${where}: what grows is refused`, cure)]
  }
  const text = measured.map(({ id, heap, process }) => `${id} heap ${shareText(heap)}, process ${shareText(process)}`).join('; ')
  if (measured.length === 0) return []
  const isNear = measured.some(({ heap, process }) => isNearlyShort(heap) || isNearlyShort(process))
  const limit = `what grows is refused above ${LIVE_SHORT * 100} %`
  return [isNear ? note('memory', `${text}: ${limit}`, 'delete keys, add nodes, or give them more') : ok('memory', text)]
}

const isNearlyShort = ({ liveBytes, limitBytes }: MemoryUse): boolean => liveBytes > limitBytes * LIVE_FINE

const shareText = ({ liveBytes, limitBytes }: MemoryUse): string =>
  `${Math.round(liveBytes / limitBytes * 100)} % of ${bytesText(limitBytes)}`

/** Of the last minute or two: what stalled once is over. Where nobody has written since, the whole life is told and blamed for nothing. */
export const checkSyncs = (evidence: Evidence): readonly Finding[] => worstOf(evidence, {
  check: 'sync time',
  valueOf: ({ syncMicros, syncMs }) => (isRecent(syncMs) ? syncMs.p99 : totalOf(syncMicros) === 0 ? null : 0),
  textOf: ({ syncMicros, syncMs }) => {
    if (isRecent(syncMs)) return quantilesText(syncMs)
    const whole = { p50: quantileOf(syncMicros, 0.5) / 1_000, p99: quantileOf(syncMicros, 0.99) / 1_000 }
    return `${quantilesText(whole)} since its start, none lately`
  },
  wellMs: SYNC_MS_WELL,
  cure: 'every write waits until a majority has written and synced it: use a faster disk, or one that others do not load',
})

export const checkLoops = (evidence: Evidence): readonly Finding[] => worstOf(evidence, {
  check: 'event loop',
  valueOf: ({ loopDelayMs }) => loopDelayMs.p99,
  textOf: ({ loopDelayMs }) => `p99 ${millis(loopDelayMs.p99)}, max ${millis(loopDelayMs.max)} late`,
  wellMs: LOOP_MS_WELL,
  cure: 'the machine has too little CPU for its load: see "shardkv top", and what else runs there',
})

/** Nothing where all of it was written, as ever. */
export const checkLogs = ({ second }: Evidence): readonly Finding[] => {
  const lossy = second.flatMap(({ report: { node: { id, vitals } } }) => {
    const lost = vitals?.lostLogLines ?? 0
    return lost > 0 ? [`${id} lost ${lost} lines`] : []
  })
  const cure = 'its standard error says when: the disk of the log was full, or what reads its output is too slow'
  return lossy.length === 0 ? [] : [note('log', lossy.join(', '), cure)]
}

interface Measure {
  readonly check: string
  readonly valueOf: (vitals: NodeVitals) => number | null
  readonly textOf: (vitals: NodeVitals) => string
  readonly wellMs: number
  readonly cure: string
}

const worstOf = ({ second }: Evidence, { check, valueOf, textOf, wellMs, cure }: Measure): readonly Finding[] => {
  const measured = second.flatMap(({ report: { node } }: { report: NodeReport }) => {
    const value = node.vitals === undefined ? null : valueOf(node.vitals)
    return node.vitals === undefined || value === null ? [] : [{ value, text: `${node.id} ${textOf(node.vitals)}` }]
  })
  if (measured.length === 0) return []
  const worst = Math.max(...measured.map(({ value }) => value))
  const text = measured.map((one) => one.text).join('; ')
  if (worst > ELECTION_MS_MIN) return [problem(check, `${text}: longer than an election timeout, leaders may change`, cure)]
  return [worst > wellMs ? note(check, text, cure) : ok(check, text)]
}

const isRecent = (syncMs: NodeVitals['syncMs']): syncMs is NonNullable<NodeVitals['syncMs']> => (syncMs?.count ?? 0) > 0

const quantilesText = ({ p50, p99 }: { readonly p50: number; readonly p99: number }): string => `p50 ${millis(p50)}, p99 ${millis(p99)}`

const millis = (ms: number): string => `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`
