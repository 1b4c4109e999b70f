/** A statechart as it was laid out when the page was built (scripts/charts.mjs), with the state that an actor is in lit. */

import { signal } from '@preact/signals'
import { html } from './html.ts'
import type { VNode } from 'preact'

interface ChartState {
  readonly path: string
  readonly label: string
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  readonly isParent: boolean
  readonly isInitial: boolean
  readonly isFinal: boolean
  readonly hears: readonly string[]
  readonly fromAnywhere: readonly string[]
}

interface ChartEdge {
  readonly from: string
  readonly to: string
  readonly lines: readonly string[]
  readonly points: readonly (readonly [number, number])[]
  readonly label: readonly [number, number]
}

interface Chart {
  readonly id: string
  readonly width: number
  readonly height: number
  readonly states: readonly ChartState[]
  readonly edges: readonly ChartEdge[]
}

const charts = signal<readonly Chart[]>([])

export const loadCharts = async (): Promise<void> => {
  const path = document.querySelector<HTMLMetaElement>('meta[name=charts]')?.content ?? ''
  charts.value = await (await fetch(path)).json() as readonly Chart[]
}

export interface ChartProps {
  readonly machine: string
  readonly state: string
  /** Where it came from; empty: not known. */
  readonly before: string
}

export const ChartDrawing = ({ machine, state, before }: ChartProps): VNode => {
  const chart = charts.value.find(({ id }) => id === machine)
  if (chart === undefined) return html`<p class="faint">There is no chart of this actor.</p>`
  const isLit = (path: string): boolean => state === path || state.startsWith(`${path}.`)
  const isTaken = ({ from, to }: ChartEdge): boolean =>
    before !== '' && isLit(to) && (before === from || before.startsWith(`${from}.`)) && !(state === before)
  return html`<div class="chart-frame" tabindex="0" role="group" aria-label="Chart, scrolls">
    <svg class="chart" width=${chart.width} height=${chart.height} viewBox="0 0 ${chart.width} ${chart.height}" role="img"
      aria-label="Statechart of ${machine}, in state ${state}. States: ${chart.states.map(({ path }) => path).join(', ')}">
    <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path
      d="M0 0.5L8 4L0 7.5z"/></marker></defs>
    ${chart.states.map((one) => html`<${StateBox} key=${one.path} one=${one} isLit=${isLit(one.path)} />`)}
    ${chart.edges.map((edge) => html`<${EdgeLine} key=${`${edge.from} ${edge.to}`} edge=${edge} isTaken=${isTaken(edge)}
      isOpen=${isLit(edge.from)} />`)}
  </svg></div>`
}

const StateBox = ({ one, isLit }: { one: ChartState; isLit: boolean }): VNode => html`
  <g class="state${isLit ? ' is-lit' : ''}${one.isParent ? ' is-parent' : ''}" data-state=${one.path}>
    <rect x=${one.x} y=${one.y} width=${one.width} height=${one.height} rx="7" />
    ${one.isFinal ? html`<rect class="final" x=${one.x + 3} y=${one.y + 3} width=${one.width - 6} height=${one.height - 6}
      rx="5" />` : null}
    ${one.isInitial ? html`<circle class="initial" cx=${one.x + 10} cy=${one.y + 10} r="3.5"><title>It begins here.</title>
      </circle>` : null}
    <text class="state-name" x=${one.x + one.width / 2} y=${one.y + 24}>${one.label}</text>
    ${one.fromAnywhere.map((event, i) => html`<text key=${event} class="anywhere" x=${one.x + one.width / 2}
      y=${one.y + 39 + i * 15}>from anywhere: ${event}</text>`)}
    ${one.hears.length === 0 ? null : html`<title>hears ${one.hears.join(', ')}</title>`}
  </g>`

interface EdgeProps {
  readonly edge: ChartEdge
  readonly isTaken: boolean
  readonly isOpen: boolean
}

const EdgeLine = ({ edge: { points, lines, label }, isTaken, isOpen }: EdgeProps): VNode => html`
  <g class="edge${isTaken ? ' is-taken' : ''}${isOpen ? ' is-open' : ''}">
    <path d=${rounded(points)} marker-end="url(#arrow)" />
    ${lines.map((line, i) => html`<text key=${line} x=${label[0] + 2} y=${label[1] + 10 + i * 13}>${line}</text>`)}
  </g>`

const BEND = 6

/** Corners as arcs: lines are easier to follow. */
const rounded = (points: readonly (readonly [number, number])[]): string => {
  const [first] = points
  if (first === undefined) return ''
  let path = `M${first[0]} ${first[1]}`
  for (let i = 1; i < points.length; i += 1) {
    const [x, y] = points[i] ?? first
    const next = points[i + 1]
    const previous = points[i - 1] ?? first
    if (next === undefined) {
      path += `L${x} ${y}`
      continue
    }
    const before = towards([x, y], previous)
    const after = towards([x, y], next)
    path += `L${before[0]} ${before[1]}Q${x} ${y} ${after[0]} ${after[1]}`
  }
  return path
}

const towards = ([x, y]: readonly [number, number], [tx, ty]: readonly [number, number]): readonly [number, number] => {
  const length = Math.hypot(tx - x, ty - y)
  const share = length === 0 ? 0 : Math.min(BEND, length / 2) / length
  return [x + (tx - x) * share, y + (ty - y) * share]
}
