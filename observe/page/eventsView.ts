/** The history in words: elections, verdicts, what nodes did, what people and the meta group decided. */

import { useEffect, useState } from 'preact/hooks'
import { signal } from '@preact/signals'
import { ask } from './access.ts'
import { happeningsOf, isHistory } from './happenings.ts'
import { html } from './html.ts'
import { loadFromCluster } from './recordingSource.ts'
import { lacksOf } from './recordingStream.ts'
import { recentRecords, shown } from './live.ts'
import { isTrafficLoss } from '../recorder/gaps.ts'
import { clockTime } from './words.ts'
import type { VNode } from 'preact'
import type { EventsAnswer } from '../../gateway/admin/views.ts'
import type { ActorRecord } from '../recorder/record.ts'
import type { Happening, Topic } from './happenings.ts'

const PAST_MS = 3_600_000
const SHOWN_MAX = 300

/** That traffic has been overwritten within the hour is no news, and none of it is shown. */
const isTold = (record: ActorRecord): boolean => isHistory(record) && !isTrafficLoss(record)

const past = signal<readonly ActorRecord[]>([])
const decided = signal<EventsAnswer['events']>([])
const state = signal('')
const lacks = signal<readonly string[]>([])

const load = async (): Promise<void> => {
  state.value = 'Reading the last hour …'
  const [loaded, events] = await Promise.all([
    loadFromCluster(Date.now() - PAST_MS, { wants: isTold }), ask<EventsAnswer>('/v1/events?limit=100'),
  ])
  if ('records' in loaded) past.value = loaded.records
  if ('value' in events) decided.value = events.value.events
  state.value = 'problem' in loaded ? loaded.problem : 'problem' in events ? events.problem : ''
  lacks.value = 'records' in loaded ? lacksOf(loaded) : []
}

const topics: readonly (readonly [Topic | 'all', string])[] = [
  ['all', 'everything'], ['elections', 'elections'], ['nodes', 'nodes'], ['changes', 'moves and changes'], ['other', 'logs and snapshots'],
]

export const EventsView = (): VNode => {
  const [topic, choose] = useState<Topic | 'all'>('all')
  const [text, search] = useState('')
  useEffect(() => { void load() }, [])
  void shown.value
  const latest = past.value.at(-1)?.at ?? 0
  const records = [...past.value, ...recentRecords().filter((record) => record.at > latest && isHistory(record))]
  const all = happeningsOf(records, decided.value)
  const found = all.filter((one) => (topic === 'all' || one.topic === topic) && `${one.who} ${one.what}`.includes(text))
  return html`<section class="view events" aria-labelledby="events-title">
    <header class="bar"><h1 id="events-title">What happened <span class="faint">· the last hour</span></h1>
      <div class="chips" role="group" aria-label="Topic">${topics.map(([name, words]) => html`
        <button key=${name} type="button" class="chip" aria-pressed=${topic === name} onClick=${() => choose(name)}>${words}</button>`)}
          </div>
      <label class="field">Find <input type="search" value=${text} placeholder="n2, shard 7, …"
        onInput=${(event: Event) => search((event.target as HTMLInputElement).value)} /></label>
    </header>
    ${state.value === '' ? null : html`<p class="faint" role="status">${state.value}</p>`}
    ${lacks.value.map((lack) => html`<p key=${lack} class="problem" role="alert">${lack}</p>`)}
    ${found.length === 0 && state.value === '' ? html`<p class="faint">Nothing of this kind in the last hour.</p>` : html`<${List}
      found=${found} />`}
  </section>`
}

const List = ({ found }: { found: readonly Happening[] }): VNode => html`<ol class="history">
  ${found.slice(0, SHOWN_MAX).map(({ at, topic, who, what }) => html`<li key=${`${at} ${who} ${what}`} class="is-${topic}">
    <time datetime=${new Date(at).toISOString()}>${clockTime(at)}</time><span class="who">${who}</span><span class="what">${what}</span>
      </li>`)}
  ${found.length > SHOWN_MAX ? html`<li class="faint">
    ${found.length - SHOWN_MAX} older ones: find what you look for above.</li>` : null}</ol>`
