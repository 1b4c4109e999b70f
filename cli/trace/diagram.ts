/**
 * One request's journey as a sequence diagram in characters: a column for each node, time downwards, an arrow for each message, a mark for
 * each phase.
 *
 *        ms  n2                     n3
 *     0.000  ● put arrives           │
 *     1.701  ├──── shard.request ───▶│     37.3 ms on its way
 *    48.989  │                       ◆ propose 2.3 ms
 *
 * The order is that of the nodes' clocks; where they disagree, an arrow may end before it began, and has no duration.
 */

import { arrowsOf } from './arrows.ts'
import type { ActorRecord } from '../../observe/recorder/record.ts'
import type { Arrow } from './arrows.ts'

const TIME_WIDTH = 10
const COLUMN_MIN = 18
const COLUMN_MAX = 30
const marks: Readonly<Record<string, string>> = {
  arrive: '●', reply: '●', fsync: '■', apply: '◇', commit: '◆', propose: '◇', replicate: '◆',
}

interface Row {
  readonly at: number
  readonly order: number
  readonly line: string
}

export const sequenceDiagram = (records: readonly ActorRecord[], columnsMax: number): readonly string[] => {
  const [first] = records
  if (first === undefined) return []
  const nodes = participantsOf(records)
  const room = Math.floor((columnsMax - TIME_WIDTH - 2 - COLUMN_MIN) / Math.max(1, nodes.length - 1))
  const width = Math.max(COLUMN_MIN, Math.min(COLUMN_MAX, room))
  const ground = { nodes, width, startedAt: first.at }
  const rows: Row[] = [
    ...records.filter(({ kind }) => kind === 'phase')
      .map((record) => ({ at: record.at, order: record.seq, line: phaseRow(ground, record) })),
    ...arrowsOf(records).map((arrow, order) => ({ at: arrow.at, order, line: arrowRow(ground, arrow) })),
  ]
  const head = `${'ms'.padStart(TIME_WIDTH)}  ${nodes.map((node) => node.padEnd(width)).join('')}`.trimEnd()
  return [head, ...rows.toSorted((a, b) => a.at - b.at || a.order - b.order).map(({ line }) => line)]
}

interface Ground {
  readonly nodes: readonly string[]
  readonly width: number
  readonly startedAt: number
}

/** In the order in which the request came to them. */
const participantsOf = (records: readonly ActorRecord[]): readonly string[] => {
  const nodes = new Set<string>()
  for (const { node, peer, kind } of records) {
    nodes.add(node)
    if (peer !== undefined && kind === 'send') nodes.add(peer)
  }
  return [...nodes]
}

const lifelines = ({ nodes, width }: Ground): string[] => {
  const characters = Array.from<string>({ length: (nodes.length - 1) * width + 1 }).fill(' ')
  nodes.forEach((_, i) => { characters[i * width] = '│' })
  return characters
}

const laidOut = ({ startedAt }: Ground, at: number, text: string): string =>
  `${(at - startedAt).toFixed(3).padStart(TIME_WIDTH)}  ${text.trimEnd()}`

/** What a phase says stands to the right of its lifeline, over those behind it where it is long. */
const phaseRow = (ground: Ground, record: ActorRecord): string => {
  const characters = lifelines(ground)
  const x = ground.nodes.indexOf(record.node) * ground.width
  const text = `${marks[record.event] ?? '·'} ${phaseText(record)}`
  for (let i = 0; i < text.length; i += 1) characters[x + i] = text.charAt(i)
  return laidOut(ground, record.at, characters.map((character) => character ?? ' ').join(''))
}

const phaseText = ({ event, micros, peer, detail }: ActorRecord): string => {
  const took = micros === undefined ? '' : ` ${millis(micros / 1_000)}`
  switch (event) {
    case 'arrive': return `${detail?.['op'] ?? 'request'} arrives`
    case 'reply': return `${detail?.['status'] ?? 'answered'} after${took}`
    case 'fsync': return `on disk${took}`
    case 'replicate': return `on ${peer ?? '?'}'s disk${took}`
    case 'commit': return `committed${took}`
    case 'apply': return `applied${took}`
    case 'propose': return `proposed${took}`
    default: return `${event}${took}`
  }
}

const arrowRow = (ground: Ground, { from, to, event, at, transitMs, isUnheard }: Arrow): string => {
  const { nodes, width } = ground
  const [a, b] = [nodes.indexOf(from) * width, nodes.indexOf(to) * width]
  const characters = lifelines(ground)
  const [left, right] = [Math.min(a, b), Math.max(a, b)]
  for (let x = left + 1; x < right; x += 1) characters[x] = '─'
  characters[a] = a < b ? '├' : '┤'
  characters[a < b ? right - 1 : left + 1] = a < b ? '▶' : '◀'
  const label = ` ${event.replace(/^raft\./, '')} `
  const start = Math.round((left + right - label.length) / 2)
  for (let i = 0; i < label.length && start + i > left + 1; i += 1) if (start + i < right - 1) characters[start + i] = label.charAt(i)
  const note = isUnheard ? '   not seen to arrive' : transitText(transitMs)
  return laidOut(ground, at, `${characters.join('')}${note}`)
}

const transitText = (transitMs: number | null): string => (transitMs === null ? '' : `   ${millis(transitMs)}`)

export const millis = (ms: number): string => (ms < 10 ? `${ms.toFixed(2)} ms` : `${ms.toFixed(1)} ms`)
