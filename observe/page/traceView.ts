/** One request across the cluster: found among those that were kept, by its trace or its key, or made by a probe. */

import { useEffect, useState } from 'preact/hooks'
import { signal } from '@preact/signals'
import { SequenceDrawing } from './sequenceDrawing.ts'
import { ask } from './access.ts'
import { goTo, linkTo, route } from './route.ts'
import { html } from './html.ts'
import { millis, sequenceOf, verdictOf } from './sequence.ts'
import { clockTime, micros } from './words.ts'
import { isAnswer } from '../../actors/shard/operation.ts'
import type { VNode } from 'preact'
import type { ActorRecord } from '../recorder/record.ts'
import type { KeptRequest } from '../recorder/requests.ts'
import type { Sequence, SequenceRow } from './sequence.ts'

const LISTED = 40
const TRACE_ID = /^[0-9a-f]{32}$/

interface Wish {
  readonly order: 'newest' | 'slowest'
  readonly isFailed: boolean
  readonly key: string
}

const wish = signal<Wish>({ order: 'newest', isFailed: false, key: '' })
const kept = signal<readonly KeptRequest[]>([])
const problem = signal('')
interface FoundJourney {
  readonly trace: string
  readonly records: readonly ActorRecord[]
  /** Nodes whose part of it is not known. */
  readonly missing: readonly string[]
}

const journey = signal<FoundJourney | null>(null)
const isProbing = signal(false)

const find = async (): Promise<void> => {
  const { order, isFailed, key } = wish.value
  const query = new URLSearchParams({ order, limit: String(LISTED), ...(isFailed ? { failed: '1' } : {}), ...(key === '' ? {} : { key }) })
  const answer = await ask<{ readonly requests: readonly KeptRequest[] }>(`/v1/requests?${query}`)
  problem.value = 'problem' in answer ? answer.problem : ''
  if ('value' in answer) kept.value = answer.value.requests
}

const look = async (trace: string): Promise<void> => {
  const answer = await ask<FoundJourney>(`/v1/requests/${trace}`)
  problem.value = 'problem' in answer ? answer.problem : ''
  if ('value' in answer) journey.value = answer.value
}

const probe = async (): Promise<void> => {
  isProbing.value = true
  const answer = await ask<{ readonly trace: readonly string[] }>('/v1/probe', { method: 'POST', body: '{}' })
  isProbing.value = false
  if ('problem' in answer) {
    problem.value = answer.problem
    return
  }
  await find()
  goTo('trace', { id: answer.value.trace[0] ?? '' })
}

export const TraceView = (): VNode => {
  const id = route.value.query['id'] ?? ''
  useEffect(() => { void find() }, [wish.value])
  useEffect(() => {
    if (TRACE_ID.test(id)) void look(id)
    else journey.value = null
  }, [id])
  return html`<section class="view trace" aria-labelledby="trace-title">
    <div class="trace-list">
      <header class="bar"><h1 id="trace-title">Requests</h1>
        <button type="button" class="primary" disabled=${isProbing.value} onClick=${() => void probe()}>
          ${isProbing.value ? 'On its way …' : 'Send a probe'}</button></header>
      <${Finder} />
      ${problem.value === '' ? null : html`<p class="problem" role="alert">${problem.value}</p>`}
      <${KeptList} chosen=${id} />
    </div>
    <div class="trace-journey">${journey.value === null || journey.value.trace !== id
      ? html`<p class="faint hint">Choose a request, or send a probe: a write and a read of a reserved key, on the way of any request.</p>`
      : html`<${Journey} key=${id} found=${journey.value} />`}</div>
  </section>`
}

const Finder = (): VNode => {
  const found = (event: Event): void => {
    const text = (event.target as HTMLInputElement).value.trim()
    if (TRACE_ID.test(text)) goTo('trace', { id: text })
    else wish.value = { ...wish.value, key: text }
  }
  const { order, isFailed } = wish.value
  return html`<div class="finder"><label class="field">Key or trace id <input type="search" onChange=${found} /></label>
    <div class="chips" role="group" aria-label="Which">
      <button type="button" class="chip" aria-pressed=${order === 'newest'}
        onClick=${() => { wish.value = { ...wish.value, order: 'newest' } }}>newest</button>
      <button type="button" class="chip" aria-pressed=${order === 'slowest'}
        onClick=${() => { wish.value = { ...wish.value, order: 'slowest' } }}>slowest</button>
      <button type="button" class="chip" aria-pressed=${isFailed}
        onClick=${() => { wish.value = { ...wish.value, isFailed: !isFailed } }}>failed only</button>
      <button type="button" class="chip" onClick=${() => void find()}>look again</button></div></div>`
}

const KeptList = ({ chosen }: { chosen: string }): VNode => (kept.value.length === 0
  ? html`<p class="faint">No request has been kept: a node keeps those that carry a sampled trace, took long, or failed.</p>`
  : html`<ol class="kept">${kept.value.map(({ trace, at, op, key, status, micros: took, shard, node }) => html`<li key=${trace}>
    <a href=${linkTo('trace', { id: trace })} aria-current=${trace === chosen ? 'true' : undefined}>
      <span class="op">${op}</span><span class="key-text">${key}</span><span class="took">${micros(took)}</span>
      <span class="faint meta">${clockTime(at)} · shard ${shard} · ${node}</span><span class="status ${isAnswer(status) ? 'is-ok' : ''}">
        ${status}</span></a></li>`)}</ol>`)

const Journey = ({ found: { records, missing } }: { found: FoundJourney }): VNode => {
  const [chosen, choose] = useState<number | null>(null)
  if (records.length === 0) return html`<p class="faint">Nothing of it is left in the recorders: they keep the last seconds to minutes.</p>`
  const sequence = sequenceOf(records)
  const close = (): void => {
    document.querySelector<SVGElement>('.step.is-chosen')?.focus()
    choose(null)
  }
  const row = chosen === null ? undefined : sequence.rows[chosen]
  return html`<p class="headline">${verdictOf(sequence)}</p>
    ${missing.length === 0 ? null : html`<p class="problem" role="alert">Without ${missing.join(', ')}, which did not answer.</p>`}
    <${Waterfall} sequence=${sequence} />
    <div class="journey-body"><${SequenceDrawing} sequence=${sequence} chosen=${chosen} onChoose=${choose} />
    ${row === undefined ? null : html`<${RowBox} row=${row} onClose=${close} />`}</div>`
}

const Waterfall = ({ sequence: { stretches, from, to } }: { sequence: Sequence }): VNode => {
  const whole = Math.max(0.001, to - from)
  return html`<table class="waterfall"><caption class="visually-hidden">Where the time went</caption><tbody>
    ${stretches.map((one, i) => html`<tr key=${i} class=${one.event}>
    <th scope="row">${one.label} <span class="faint">${one.node}</span></th>
    <td class="bar-cell"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect
      x=${(Math.max(0, one.from - from) / whole) * 100}
      y="1" width=${Math.max(0.4, ((one.to - Math.max(from, one.from)) / whole) * 100)} height="8" /></svg></td>
    <td class="number">${millis(one.to - one.from)}</td></tr>`)}</tbody></table>`
}

const RowBox = ({ row, onClose }: { row: SequenceRow; onClose: () => void }): VNode => {
  const records = row.kind === 'phase' ? [row.record] : row.records
  return html`<aside class="box" aria-label="Details"><h2>${row.kind === 'phase' ? row.record.event : row.event}<button type="button"
    class="quiet" aria-label="Close" onClick=${onClose}>×</button></h2>
    ${records.map((record) => html`<dl class="counters" key=${`${record.node} ${record.seq}`}>
      ${fieldsOf(record).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`)}</aside>`
}

const fieldsOf = ({ detail = {}, at, trace: _trace, ...record }: ActorRecord): readonly (readonly [string, string])[] =>
  [['at', clockTime(at)], ...Object.entries({ ...record, ...detail }).map(([name, value]) => [name, String(value)] as const)]
