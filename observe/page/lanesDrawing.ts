/** Swim lanes of a Raft group: a row for each member, its role as a band with the term, what it sent as marks. */

import { html } from './html.ts'
import { clockTime, shortened } from './words.ts'
import type { VNode } from 'preact'
import type { Lane, LaneBand, LaneMark, MarkKind } from './lanes.ts'

const WIDTH = 1_000
const LEFT_MIN = 56
const NAME_CHARACTERS_MAX = 18
const NAME_CHARACTER = 9
const ROW = 52
const BAND = 24
const TERM_COLOURS = 5
const TICKS = 5
/** Of the words in a band: what does not fit is in its title. */
const BAND_CHARACTER = 6.6

export interface LanesProps {
  readonly lanes: readonly Lane[]
  readonly from: number
  readonly to: number
  /** What stands at a moment of the axis. */
  readonly tickText?: (at: number) => string
}

const timeOfDay = (at: number): string => clockTime(at).slice(0, 8)

export const LanesDrawing = ({ lanes, from, to, tickText = timeOfDay }: LanesProps): VNode => {
  const height = lanes.length * ROW + 28
  const names = lanes.map(({ node }) => shortened(node, NAME_CHARACTERS_MAX))
  const left = Math.max(LEFT_MIN, ...names.map((name) => name.length * NAME_CHARACTER + 12))
  const x = (at: number): number => left + ((at - from) / (to - from)) * (WIDTH - left)
  const ticks = Array.from({ length: TICKS }, (_, i) => from + ((to - from) * (i + 0.5)) / TICKS)
  return html`<div class="lanes-frame" tabindex="0" role="group" aria-label="Lanes, scroll"><svg class="lanes"
    viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label=${lanesWords(lanes)}>
    ${ticks.map((at) => html`<g key=${at} class="lane-tick"><line x1=${x(at)} x2=${x(at)} y1="0" y2=${height - 22} /><text x=${x(at)}
      y=${height - 6}>${tickText(at)}</text></g>`)}
    ${lanes.map((lane, i) => html`<g key=${lane.node} transform="translate(0 ${i * ROW + 6})">
      <text class="lane-name" x="0" y=${BAND / 2 + 10}>${names[i]}</text>
      ${lane.bands.map((band) => html`<${Band} key=${`${band.from} ${band.state}`} band=${band} x=${x(band.from)}
        width=${x(band.to) - x(band.from)} />`)}
      ${lane.marks.map((mark) => html`<${Mark} key=${`${mark.at} ${mark.kind}`} mark=${mark} x=${x(mark.at)} />`)}
    </g>`)}
  </svg></div>`
}

const roleOf = (state: string): string => state.split('.')[0] ?? state

const Band = ({ band, x, width }: { band: LaneBand; x: number; width: number }): VNode => {
  const words = `${roleOf(band.state)} · term ${band.term}`
  return html`<g class="band ${roleOf(band.state)} term-${band.term % TERM_COLOURS}">
    <rect x=${x} y="6" width=${Math.max(1.5, width)} height=${BAND} rx="3" />
    ${width > words.length * BAND_CHARACTER + 16 ? html`<text x=${x + 8} y=${BAND / 2 + 10}>${words}</text>` : null}
    <title>${band.state}, term ${band.term}${band.because === '' ? '' : `: ${band.because}`}</title>
  </g>`
}

const MARK_Y = BAND + 12

const Mark = ({ mark: { kind, at }, x }: { mark: LaneMark; x: number }): VNode => {
  const title = html`<title>${kind}, ${clockTime(at)}</title>`
  return kind === 'commit'
    ? html`<circle class="mark commit" cx=${x} cy=${MARK_Y} r="3">${title}</circle>`
    : html`<line class="mark ${kind}" x1=${x} x2=${x} y1=${MARK_Y - heights[kind]} y2=${MARK_Y + heights[kind]}>${title}</line>`
}

const heights: Readonly<Record<MarkKind, number>> = { append: 4, heartbeat: 2, vote: 6, commit: 0, proposal: 4 }

const lanesWords = (lanes: readonly Lane[]): string => lanes.map(({ node, bands }) => {
  const last = bands.at(-1)
  return last === undefined ? `${node}: not seen` : `${node}: ${roleOf(last.state)}, term ${last.term}, ${bands.length - 1} changes`
}).join('; ')
