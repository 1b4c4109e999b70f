/**
 * The cluster at a moment of a recording: a slider steps all of it back and forth. The recording comes from the nodes' recorders or from a
 * file, and goes to one: what is seen here can be sent to somebody.
 */

import { useEffect, useState } from 'preact/hooks'
import { signal } from '@preact/signals'
import { Legend } from './clusterView.ts'
import { Ring } from './ring.ts'
import { createTimeline, densityOf } from './timeline.ts'
import { html } from './html.ts'
import { loadFromCluster, loadFromFile, saveToFile } from './recordingSource.ts'
import { lacksOf } from './recordingStream.ts'
import { pictureOf } from './picture.ts'
import { filterOf } from './recordFilter.ts'
import { isStory } from '../recorder/record.ts'
import { storyOf } from '../recorder/story.ts'
import { clockTime, counted, duration } from './words.ts'
import type { VNode } from 'preact'
import type { ActorRecord } from '../recorder/record.ts'
import type { StoryLine } from '../recorder/story.ts'
import type { Loaded, LoadedRecording } from './recordingStream.ts'
import type { Timeline } from './timeline.ts'

const BINS = 240
const LISTED_AROUND = 12
/** What plays in a second, of the whole. */
const PLAY_SECONDS = 20
const FRAME_MS = 50

const loaded = signal<LoadedRecording | null>(null)
const timeline = signal<Timeline | null>(null)
const count = signal(0)
const problem = signal('')
const progress = signal('')
const filter = signal('')
const isPlaying = signal(false)

const take = (result: Loaded, from = 0): void => {
  progress.value = ''
  problem.value = 'problem' in result ? result.problem : result.records.length === 0 ? 'There is no record in it.' : ''
  if ('problem' in result || result.records.length === 0) return
  const made = createTimeline(result.records, from)
  loaded.value = result
  timeline.value = made
  count.value = made.records.length
}

const onCount = (seen: number): void => { progress.value = `${counted(seen)} records …` }

const record = async (ms: number): Promise<void> => {
  progress.value = 'Asking every node …'
  const from = Date.now() - ms
  // Older states and notes come along: they say how things stood when it begins.
  take(await loadFromCluster(0, { onCount, wants: (one) => one.at >= from || isStory(one) }), from)
}

const openFile = async (file: Blob): Promise<void> => {
  progress.value = 'Reading the file …'
  take(await loadFromFile(file, { onCount }))
}

const openChosen = (event: Event): void => {
  const [file] = (event.target as HTMLInputElement).files ?? []
  if (file !== undefined) void openFile(file)
}

const matches = (record: ActorRecord): boolean => filterOf(filter.value)(record)

/** To the next record that is wanted, in either direction. */
const step = (by: 1 | -1): void => {
  const { records } = timeline.value ?? { records: [] }
  let at = count.value - 1 + by
  while (at >= 0 && at < records.length) {
    const one = records[at]
    if (one !== undefined && matches(one)) break
    at += by
  }
  count.value = Math.max(0, Math.min(records.length, at + 1))
}

export const TimeView = (): VNode => {
  const made = timeline.value
  return html`<section class="view time" aria-labelledby="time-title">
    <header class="bar"><h1 id="time-title">Time</h1>
      <div class="chips" role="group" aria-label="Recording">
        ${spans.map(([words, ms]) => html`<button key=${words} type="button" class="chip" onClick=${() => void record(ms)}>${words}
          </button>`)}
        <label class="chip file">open a file<input type="file" accept=".ndjson,.jsonl,application/x-ndjson" class="visually-hidden"
          onChange=${openChosen} /></label>
        <button type="button" class="chip" disabled=${loaded.value === null}
          onClick=${() => { if (loaded.value !== null) saveToFile(loaded.value) }}>save to a file</button>
      </div>
      <span class="faint" role="status">${progress.value}</span></header>
    ${problem.value === '' ? null : html`<p class="problem" role="alert">${problem.value}</p>`}
    ${lacksOf(loaded.value).map((lack) => html`<p key=${lack} class="problem" role="alert">${lack}</p>`)}
    ${made === null
      ? html`<p class="faint hint">Take what the nodes remember, or open a file: "shardkv record FILE" and "save to a file" write them.</p>`
      : html`<${Player} made=${made} />`}
  </section>`
}

const spans: readonly (readonly [string, number])[] = [['last minute', 60_000], ['last 5 minutes', 300_000], ['last 15 minutes', 900_000]]

const Player = ({ made }: { made: Timeline }): VNode => {
  const [selected, select] = useState<number | null>(null)
  useEffect(() => {
    if (!isPlaying.value) return undefined
    const timer = setInterval(() => {
      const now = (made.records[count.value - 1]?.at ?? made.from) + ((made.to - made.from) * FRAME_MS) / 1_000 / PLAY_SECONDS
      count.value = Math.max(count.value + 1, made.countAt(now))
      if (count.value < made.records.length) return
      count.value = made.records.length
      isPlaying.value = false
    }, FRAME_MS)
    return () => clearInterval(timer)
  }, [isPlaying.value, made])
  const world = made.worldAfter(count.value)
  const picture = pictureOf(world, null)
  const now = made.records[count.value - 1]?.at ?? made.from
  const led = picture.shards.filter(({ leader }) => leader !== null).length
  return html`<div class="player">
    <${Slider} made=${made} now=${now} />
    <div class="time-ring"><${Ring} picture=${picture} selected=${selected} onSelect=${select}
      figure="${led} / ${picture.shards.length}" caption="shards with a leader" /><${Legend} /></div>
    <${Around} made=${made} />
  </div>`
}

const seek = (made: Timeline, offsetMs: number): void => {
  isPlaying.value = false
  count.value = made.countAt(made.from + offsetMs)
}

const Slider = ({ made, now }: { made: Timeline; now: number }): VNode => {
  const bins = densityOf(made, BINS)
  const most = Math.log1p(Math.max(...bins.map(({ all }) => all)))
  return html`<div class="slider">
    <svg viewBox="0 0 ${BINS} 40" preserveAspectRatio="none" aria-hidden="true">${bins.map(({ all, story }, i) => html`<g key=${i}>
      <rect class="density" x=${i} width="0.8" y=${40 - (Math.log1p(all) / most) * 30} height=${(Math.log1p(all) / most) * 30} />
      ${story > 0 ? html`<rect class="story" x=${i} width="0.8" y="0" height="6" />` : null}</g>`)}</svg>
    <input type="range" min="0" max=${Math.max(1, made.to - made.from)} step="any" value=${now - made.from} aria-label="Moment"
      aria-valuetext=${clockTime(now)}
      onInput=${(event: Event) => seek(made, Number((event.target as HTMLInputElement).value))} />
    <div class="transport">
      <button type="button" class="chip" onClick=${() => step(-1)} aria-label="Step back">◂ step</button>
      <button type="button" class="chip" aria-pressed=${isPlaying.value}
        onClick=${() => { if (count.value >= made.records.length) count.value = 0; isPlaying.value = !isPlaying.value }}>
        ${isPlaying.value ? 'pause' : 'play'}</button>
      <button type="button" class="chip" onClick=${() => step(1)} aria-label="Step on">step ▸</button>
      <output class="moment">${clockTime(now)}</output><span class="faint">
        ${counted(count.value)} of ${counted(made.records.length)} records, ${duration(made.to - made.from)}</span>
      <label class="field">Filter <input type="search" value=${filter.value} placeholder="raft/7, shard 7, n2, a key"
        onInput=${(event: Event) => { filter.value = (event.target as HTMLInputElement).value }} /></label>
    </div></div>`
}

const Around = ({ made }: { made: Timeline }): VNode => {
  const before = collect(made, { from: count.value - 1, by: -1 }).toReversed()
  const after = collect(made, { from: count.value, by: 1 })
  const row = (isPast: boolean) => ({ at, node, who, what }: StoryLine): VNode => html`
    <li key=${`${at} ${who} ${what}`} class=${isPast ? '' : 'is-ahead'}><time>${clockTime(at)}</time><span class="who">${who} on ${node}
      </span><span class="what">${what}</span></li>`
  return html`<ol class="history around" aria-label="Around this moment">${storyOf(before).map(row(true))}<li class="now"
    aria-hidden="true"></li>${storyOf(after).map(row(false))}</ol>`
}

const collect = ({ records }: Timeline, { from, by }: { from: number; by: 1 | -1 }): ActorRecord[] => {
  const found: ActorRecord[] = []
  for (let i = from; i >= 0 && i < records.length && found.length < LISTED_AROUND; i += by) {
    const one = records[i]
    if (one !== undefined && matches(one)) found.push(one)
  }
  return found
}
