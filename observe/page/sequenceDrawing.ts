/**
 * A request as a message sequence diagram: a lifeline for each node, time downwards, an arrow for each message, a mark for each phase. Rows
 * are evenly spaced, since a journey of milliseconds has stretches of microseconds; the time stands beside each.
 */

import { html } from './html.ts'
import { millis, phaseWords } from './sequence.ts'
import type { VNode } from 'preact'
import type { Sequence, SequenceRow } from './sequence.ts'

const TIME = 74
const ROW = 34
const TOP = 34
const COLUMN = 200
/** Right of the last lifeline, for what stands beside it. */
const LAST = 245
/** On a narrow screen, so that two nodes are seen at once. */
const COLUMN_NARROW = 150

export interface SequenceProps {
  readonly sequence: Sequence
  readonly chosen: number | null
  readonly onChoose: (row: number) => void
}

export const SequenceDrawing = ({ sequence, chosen, onChoose }: SequenceProps): VNode => {
  const { nodes, rows, from } = sequence
  const height = TOP + rows.length * ROW + 10
  const column = matchMedia('(max-width: 700px)').matches ? COLUMN_NARROW : COLUMN
  const width = TIME + (nodes.length - 1) * column + LAST
  const x = (node: string): number => TIME + nodes.indexOf(node) * column + 24
  return html`<div class="sequence-frame" tabindex="0" role="group" aria-label="Sequence diagram, scrolls">
    <svg class="sequence" width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="group"
      aria-label="Messages and phases, by time">
    <defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path
      d="M0 0.5L8 4L0 7.5z"/></marker></defs>
    ${nodes.map((node) => html`<g key=${node} class="lifeline"><text x=${x(node)} y="18">${node}</text><line x1=${x(node)} x2=${x(node)}
      y1=${TOP - 6} y2=${height - 6} /></g>`)}
    ${rows.map((row, i) => html`<${Row} key=${i} row=${row} y=${TOP + i * ROW + ROW / 2} x=${x} offset=${row.at - from}
      isChosen=${chosen === i} onChoose=${() => onChoose(i)} width=${width} />`)}
  </svg></div>`
}

interface RowProps {
  readonly row: SequenceRow
  readonly y: number
  readonly x: (node: string) => number
  readonly offset: number
  readonly isChosen: boolean
  readonly onChoose: () => void
  readonly width: number
}

const Row = ({ row, y, x, offset, isChosen, onChoose, width }: RowProps): VNode => {
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' && event.key !== ' ') return
    event.preventDefault()
    onChoose()
  }
  return html`<g class="step${isChosen ? ' is-chosen' : ''}" role="button" tabindex="0" aria-pressed=${isChosen}
    aria-label=${wordsOf(row, offset)} onClick=${onChoose} onKeyDown=${onKeyDown}>
    <rect class="hit" x="0" y=${y - ROW / 2} width=${width} height=${ROW} />
    <text class="step-time" x=${TIME - 18} y=${y + 4}>${offset.toFixed(2)}</text>
    ${row.kind === 'phase' ? html`<${Phase} row=${row} x=${x(row.node)} y=${y} />` : html`<${Message} row=${row} from=${x(row.from)}
      to=${x(row.to)} y=${y} />`}
  </g>`
}

const Phase = ({ row: { record }, x, y }: { row: Extract<SequenceRow, { kind: 'phase' }>; x: number; y: number }): VNode => html`
  <g class="phase ${record.event}">
    ${record.event === 'fsync' || record.event === 'replicate'
      ? html`<rect class="glyph" x=${x - 6} y=${y - 6} width="12" height="12" />`
      : html`<circle class="glyph" cx=${x} cy=${y} r="5" />`}
    <text x=${x + 14} y=${y + 4}>${phaseWords(record)}${record.micros === undefined ? null : html`<tspan
      class="took"> ${millis(record.micros / 1_000)}</tspan>`}</text>
  </g>`

interface MessageProps {
  readonly row: Extract<SequenceRow, { kind: 'message' }>
  readonly from: number
  readonly to: number
  readonly y: number
}

const Message = ({ row: { event, transitMs, isHeard }, from, to, y }: MessageProps): VNode => html`
  <g class="message${isHeard ? '' : ' is-unheard'}">
    <line x1=${from} x2=${to + (from < to ? -2 : 2)} y1=${y + 4} y2=${y + 4} marker-end="url(#head)" />
    <text x=${(from + to) / 2} y=${y - 3}>${event.replace(/^raft\./, '')}${transitMs === null ? null : html`<tspan
      class="took"> ${millis(transitMs)}</tspan>`}</text>
  </g>`

const wordsOf = (row: SequenceRow, offset: number): string => (row.kind === 'phase'
  ? `${offset.toFixed(2)} ms, ${row.node}: ${phaseWords(row.record)}`
  : `${offset.toFixed(2)} ms, ${row.event} from ${row.from} to ${row.to}${row.isHeard ? '' : ', not seen to arrive'}`)
