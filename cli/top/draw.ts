/**
 * A frame as lines of text that fit a terminal. At 80 by 24 a cluster of three nodes and sixteen shards fits whole; above that the
 * shards scroll.
 */

import { bytesText, countText } from '../units.ts'
import type { createColors } from 'picocolors'
import type { Flow, Frame, NodeRow, ShardRow } from './frame.ts'

type Colors = ReturnType<typeof createColors>

export interface View {
  readonly columns: number
  readonly rows: number
  /** The first shard shown. */
  readonly scroll: number
  readonly isSortedByLoad: boolean
  /** Lines for the keyboard and how to scroll; a script gets none. */
  readonly hasFooter: boolean
}

/** Of everything but the name, which takes what the longest needs. */
const NODE_COLUMNS = [12, 6, 8, 9, 5, 9, 7, 7, 9] as const
const NAME_COLUMNS_MIN = 6
const SHARD_COLUMNS = [6, 7, 6, 8, 8, 8, 8, 8, 8, 7, 6] as const
const CPU_PERCENT_HIGH = 90

export const drawFrame = (frame: Frame, view: View, colors: Colors): readonly string[] => {
  const nodeColumns = [Math.max(NAME_COLUMNS_MIN, ...frame.nodes.map(({ id }) => id.length + 1)), ...NODE_COLUMNS]
  const top = [
    ...summary(frame, colors),
    colors.dim(line(['NODE', 'STATE', 'LEADS', 'READS/s', 'WRITES/s', 'CPU', 'RSS', 'LOOP', 'SYNC', 'BACKLOG'], nodeColumns, 2)),
    ...frame.nodes.map((node) => nodeLine(node, nodeColumns, colors)),
    colors.dim(line(['SHARD', 'LEADER', 'TERM', 'READS/s', 'p50 ms', 'p99 ms', 'WRITES/s', 'p50 ms', 'p99 ms', 'WAIT', 'LAG'],
      SHARD_COLUMNS, 2)),
  ]
  const room = shardRoom(frame, view)
  const sorted = view.isSortedByLoad ? frame.shards.toSorted((a, b) => loadOf(b) - loadOf(a) || a.id - b.id) : frame.shards
  const first = Math.min(view.scroll, scrollMax(frame, view))
  const shown = sorted.slice(first, first + room)
  const footer = view.hasFooter ? [colors.dim(footerText(frame, { first, shown: shown.length, isSortedByLoad: view.isSortedByLoad }))] : []
  return [...top, ...shown.map((shard) => shardLine(shard, colors)), ...footer].map((text) => cut(text, view.columns))
}

const HEAD_LINES = 4

/** How many shards fit below the nodes. */
const shardRoom = ({ nodes }: Frame, { rows, hasFooter }: Pick<View, 'rows' | 'hasFooter'>): number =>
  Math.max(1, rows - HEAD_LINES - nodes.length - (hasFooter ? 1 : 0))

/** Scrolling ends with the last shard on the last line. */
export const scrollMax = (frame: Frame, view: Pick<View, 'rows' | 'hasFooter'>): number =>
  Math.max(0, frame.shards.length - shardRoom(frame, view))

const loadOf = ({ reads, writes }: ShardRow): number => reads.perSecond + writes.perSecond

const summary = ({ cluster, broker, routing, isShortened, reads, writes }: Frame, colors: Colors): readonly string[] => {
  const flow = (name: string, { perSecond, p50Ms, p99Ms }: Flow): string =>
    `${colors.bold(`${countText(perSecond)} ${name}/s`)}  p50 ${millis(p50Ms)}  p99 ${millis(p99Ms)} ms`.replaceAll('- ms', '-')
  const way = routing === 'broker' ? 'routing by the broker' : colors.yellow(`routing: ${routing}`)
  const gap = isShortened ? colors.yellow(', max_payload too small for rates') : ''
  return [`shardkv ${cluster}, ${broker}, ${way}${gap}`, `${flow('reads', reads)}    ${flow('writes', writes)}`]
}

const nodeLine = (node: NodeRow, columns: readonly number[], colors: Colors): string => {
  const { id, state, leads, reads, writes, cpuPercent, rssBytes, loopP99Ms, syncP99Ms, walBacklogBytes } = node
  const cells = [
    id, state, String(leads), countText(reads.perSecond), countText(writes.perSecond),
    cpuPercent === null ? '-' : `${cpuPercent.toFixed(0)}%`, rssBytes === null ? '-' : bytesText(rssBytes),
    `${millis(loopP99Ms)}ms`.replace('-ms', '-'), `${millis(syncP99Ms)}ms`.replace('-ms', '-'), bytesText(walBacklogBytes),
  ]
  const text = line(cells, columns, 2)
  if (state !== 'serving') return colors.red(text)
  return cpuPercent !== null && cpuPercent > CPU_PERCENT_HIGH ? colors.yellow(text) : text
}

const shardLine = ({ id, leader, term, reads, writes, waiting, lagEntries }: ShardRow, colors: Colors): string => {
  const text = line([
    String(id), leader ?? 'none', String(term),
    countText(reads.perSecond), millis(reads.p50Ms), millis(reads.p99Ms),
    countText(writes.perSecond), millis(writes.p50Ms), millis(writes.p99Ms),
    countText(waiting), lagEntries === null ? '?' : countText(lagEntries),
  ], SHARD_COLUMNS, 2)
  return leader === null ? colors.red(text) : text
}

interface Part {
  readonly first: number
  readonly shown: number
  readonly isSortedByLoad: boolean
}

const footerText = ({ shards, seconds }: Frame, { first, shown, isSortedByLoad }: Part): string => {
  const part = shown === shards.length ? '' : `shards ${first + 1}-${first + shown} of ${shards.length}, arrows scroll  `
  return `${part}over ${seconds.toFixed(1)} s  s: ${isSortedByLoad ? 'by number' : 'busiest first'}  q: quit`
}

/** The first `texts` cells are names, aligned left; the others are numbers, aligned right. */
const line = (cells: readonly string[], widths: readonly number[], texts: number): string => cells.map((cell, i) => {
  const width = (widths[i] ?? 0) - 1
  return i < texts ? cell.padEnd(width) : cell.padStart(width)
}).join(' ').trimEnd()

const millis = (ms: number | null): string => {
  if (ms === null) return '-'
  return ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : ms.toFixed(0)
}

const ESCAPE = '\u001b'

/** At most so many characters on the screen; colors count for none, and end with the line. */
const cut = (text: string, columns: number): string => {
  let visible = 0
  let i = 0
  while (i < text.length && visible < columns) {
    if (text[i] === ESCAPE) i = text.indexOf('m', i)
    else visible += 1
    i += 1
  }
  while (text[i] === ESCAPE) i = text.indexOf('m', i) + 1
  return i >= text.length || !text.includes(ESCAPE) ? text.slice(0, i) : `${text.slice(0, i)}${ESCAPE}[0m`
}
