/** The actors of every node. One is chosen: its chart with its state lit, how it came there, its figures; a Raft member's group too. */

import { useEffect } from 'preact/hooks'
import { ChartDrawing } from './chart.ts'
import { LanesDrawing } from './lanesDrawing.ts'
import { answers, isDetailed, recentRecords, setDetailed, shown, world } from './live.ts'
import { byName } from './picture.ts'
import { goTo, linkTo, route } from './route.ts'
import { html } from './html.ts'
import { keyOf } from './world.ts'
import { lanesOf } from './lanes.ts'
import { clockTime, counted, duration } from './words.ts'
import type { VNode } from 'preact'
import type { ActorRecord } from '../recorder/record.ts'
import type { ActorNow } from './world.ts'

const TRANSITIONS_SHOWN = 10
const LANES_MS = 60_000

const machineOf = (actor: string): string => actor.split('/')[0] ?? actor
const partOf = (actor: string): string => actor.split('/')[1] ?? ''

export const ActorsView = (): VNode => {
  void shown.value
  const nodes = [...world.nodes.keys()].sort(byName)
  const node = route.value.query['node'] ?? nodes[0] ?? ''
  const actor = route.value.query['actor'] ?? 'raft/0'
  const all = [...world.actors.values()].filter((one) => one.node === node)
  const one = world.actors.get(keyOf(node, actor))
  return html`<section class="view actors" aria-labelledby="actors-title">
    <h1 id="actors-title" class="visually-hidden">Actors</h1>
    <nav class="picker" aria-label="Actors">
      <label class="field">Node <select value=${node}
        onChange=${(event: Event) => goTo('actors', { node: (event.target as HTMLSelectElement).value, actor })}>
        ${nodes.map((name) => html`<option key=${name} value=${name} selected=${name === node}>${name}</option>`)}</select></label>
      ${machines.map((machine) => html`<${Group} key=${machine} machine=${machine} node=${node} chosen=${actor}
        actors=${all.filter((a) => machineOf(a.actor) === machine)} />`)}
    </nav>
    ${one === undefined
      ? html`<p class="faint">${all.length === 0 ? 'Waiting for what this node says of its actors.' : `${actor} is not on ${node}.`}</p>`
      : html`<${ActorBox} one=${one} />`}
  </section>`
}

const machines = ['node', 'topology', 'gossip', 'wal', 'connection', 'raft', 'shard'] as const

interface GroupProps {
  readonly machine: string
  readonly node: string
  readonly chosen: string
  readonly actors: readonly ActorNow[]
}

const Group = ({ machine, node, chosen, actors }: GroupProps): VNode | null => (
  actors.length === 0 ? null : html`<div class="picker-group"><h2>${machine}</h2><ul>
    ${actors.toSorted((a, b) => byName(a.actor, b.actor)).map(({ actor, state }) => html`<li key=${actor}>
      <a class="chip ${state.startsWith('lead') ? 'is-leading' : ''}" href=${linkTo('actors', { node, actor })}
        aria-current=${actor === chosen ? 'true' : undefined}
        aria-label="${actor}, ${state}" title="${actor}: ${state}">${partOf(actor) || machine}</a></li>`)}
  </ul></div>`)

const ActorBox = ({ one: { node, actor, state, since, because, term } }: { one: ActorNow }): VNode => {
  const now = Math.max(world.at, Date.now())
  const changes = recentRecords().filter((record) => record.kind === 'state' && record.node === node && record.actor === actor)
  const before = changes.at(-1)?.event === state ? changes.at(-2)?.event ?? '' : ''
  const counters = answers.value.find((answer) => answer.node === node)?.actors.find((view) => view.actor === actor)?.counters ?? {}
  return html`<div class="actor">
    <header class="actor-head"><h2>${actor} <span class="faint">on ${node}</span></h2>
      <p><b class="state-word">${state}
        </b> for ${duration(now - since)}${term > 0 ? `, term ${term}` : ''}${because === '' ? '.' : `: ${because}.`}</p></header>
    <${ChartDrawing} machine=${machineOf(actor)} state=${state} before=${before} />
    <div class="actor-side">
      <${Transitions} changes=${changes.slice(-TRANSITIONS_SHOWN).toReversed()} />
      ${Object.keys(counters).length === 0 ? null : html`<dl class="counters" aria-label="Figures">
        ${Object.entries(counters).map(([name, value]) =>
        html`<div key=${name}><dt>${plain(name)}</dt><dd>${counted(value)}</dd></div>`)}</dl>`}
    </div>
    ${machineOf(actor) === 'raft' ? html`<${GroupLanes} actor=${actor} now=${now} />` : null}
  </div>`
}

/** `commitIndex`: "commit index". */
const plain = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

const Transitions = ({ changes }: { changes: readonly ActorRecord[] }): VNode => html`<table class="transitions">
  <caption>Last changes</caption>
  ${changes.length === 0 ? html`<tbody><tr><td class="faint">None in the last minutes.</td></tr></tbody>` : html`<tbody>
    ${changes.map((record) => html`<tr key=${record.seq}>
    <td class="time">${clockTime(record.at)}</td><td><b>${record.event}</b><br /><span class="faint">${reasonOf(record)}</span></td>
      </tr>`)}</tbody>`}</table>`

const reasonOf = ({ because = '', term, detail }: ActorRecord): string => {
  const reason = typeof detail?.['reason'] === 'string' && detail['reason'] !== '' ? detail['reason'] : because
  return [reason, term === undefined || term === 0 ? '' : `term ${term}`].filter((part) => part !== '').join(' · ')
}

/** Whoever no longer looks at lanes pays for no messages. */
const stopDetail = (): void => { if (isDetailed.value) setDetailed(false) }

const GroupLanes = ({ actor, now }: { actor: string; now: number }): VNode => {
  useEffect(() => stopDetail, [])
  const members = [...world.actors.values()].filter((one) => one.actor === actor)
  const from = now - LANES_MS
  const lanes = lanesOf(recentRecords(), { actor, from, to: now, now: members })
  return html`<section class="group" aria-label="The group">
    <h2>${partOf(actor) === 'meta' ? 'The meta group' : `The group of shard ${partOf(actor)}`}<span
      class="faint"> · the last minute</span></h2>
    <${LanesDrawing} lanes=${lanes} from=${from} to=${now} />
    <p class="lane-legend"><span class="key proposal">proposal</span><span class="key append">append</span><span
      class="key heartbeat">heartbeat</span><span class="key vote">vote</span><span class="key commit">commit</span>
      <label class="check"><input type="checkbox" checked=${isDetailed.value}
        onChange=${() => setDetailed(!isDetailed.value)} /> every message (costs the cluster a little)</label></p>
  </section>`
}
