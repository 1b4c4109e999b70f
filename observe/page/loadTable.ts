/** What clients ask and how long it takes, as a table: a row for each operation, and below it one for each node that it came by. */

import { LOAD_WINDOW_MS } from './loads.ts'
import { html } from './html.ts'
import { counted } from './words.ts'
import type { VNode } from 'preact'
import type { Load, OpLoads } from './loads.ts'

export const LoadTable = ({ rows }: { rows: readonly OpLoads[] }): VNode => html`<table class="loads">
  <caption>Requests <span class="faint">· the last ${LOAD_WINDOW_MS / 1_000} seconds</span></caption>
  ${rows.length === 0 ? html`<tbody><tr><td class="faint">None.</td></tr></tbody>` : html`
  <thead><tr><th scope="col">Operation, node</th><th scope="col" class="number">A second</th><th scope="col"
    class="number">p50, ms</th><th scope="col" class="number">p99, ms</th></tr></thead>
  ${rows.map((row) => html`<tbody key=${row.op}>
    <tr><th scope="row">${row.op}</th><${Figures} load=${row} /></tr>
    ${row.nodes.map((one) => html`<tr key=${one.node} class="of-node"><th scope="row">${one.node}</th><${Figures} load=${one} /></tr>`)}
  </tbody>`)}`}</table>`

const Figures = ({ load: { perSecond, medianMs, p99Ms } }: { load: Load }): VNode => html`
  <td class="number">${rateOf(perSecond)}</td><td class="number">${millisOf(medianMs)}</td><td class="number">${millisOf(p99Ms)}</td>`

/** One in ten seconds is not none. */
const rateOf = (perSecond: number): string => (perSecond < 10 ? perSecond.toFixed(1) : counted(perSecond))

const millisOf = (ms: number): string => (ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : counted(ms))
