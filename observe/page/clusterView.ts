/** The cluster at a glance, live: how it is in a sentence, the ring, what it does each second, and whatever shard is chosen in detail. */

import { useState } from 'preact/hooks'
import { Plot } from './plot.ts'
import { Replica, Ring } from './ring.ts'
import { LoadTable } from './loadTable.ts'
import { facts, factsProblem, loads, rates, shown, world } from './live.ts'
import { healthOf } from './health.ts'
import { html } from './html.ts'
import { linkTo } from './route.ts'
import { pictureOf } from './picture.ts'
import { counted } from './words.ts'
import type { VNode } from 'preact'
import type { Health } from './health.ts'
import type { NodeMark, Picture, ReplicaRole, ShardMark } from './picture.ts'

export const ClusterView = (): VNode => {
  const [selected, select] = useState<number | null>(null)
  void shown.value
  const picture = pictureOf(world, facts.value)
  const rows = rates.rows(Math.max(world.at, Date.now() - 2_000))
  const now = rows.slice(-3).reduce((sum, { writes }) => sum + writes, 0) / 3
  const seconds = rows.map(({ second }) => second)
  const close = (): void => {
    select(null)
    document.querySelector<SVGElement>('.ring')?.focus()
  }
  const chosen = picture.shards.find(({ shard }) => shard === selected)
  return html`<section class="view cluster" aria-labelledby="cluster-title">
    <h1 id="cluster-title" class="visually-hidden">Cluster</h1>
    <${HealthBox} health=${healthOf(picture, facts.value)} problem=${factsProblem.value} />
    <div class="cluster-ring">
      <${Ring} picture=${picture} selected=${selected} onSelect=${select} figure=${counted(now)} caption="writes a second" />
      <${Legend} />
    </div>
    <div class="cluster-side">
      ${chosen === undefined ? null : html`<${ShardBox} shard=${chosen} onClose=${close} />`}
      <${NodeTable} picture=${picture} />
      <${Plot} title="Writes a second" lines=${writeLines} format=${counted} data=${[seconds, rows.map(({ writes }) => writes)]} />
      <${Plot} title="Log synced in, ms" lines=${syncLines} format=${millisOf}
        data=${[seconds, rows.map((row) => row.syncMedianMs), rows.map((row) => row.syncP99Ms)]} />
    </div>
    <div class="cluster-loads"><${LoadTable} rows=${loads.rows()} /></div>
  </section>`
}

const writeLines = [{ label: 'now', colour: 'leader' }]
const syncLines = [{ label: 'median', colour: 'leader' }, { label: '99th of 100', colour: 'sync', isDashed: true }]
const millisOf = (value: number): string => (value > 0 && value < 10 ? value.toFixed(1) : value.toFixed(0))

export const HealthBox = ({ health: { level, headline, reasons }, problem }: { health: Health; problem: string }): VNode => html`
  <div class="health is-${problem === '' ? level : 'bad'}" role="status">
    <p class="headline"><span class="lamp" aria-hidden="true"></span>${problem === '' ? headline : problem}</p>
    ${problem === '' && reasons.length > 0 ? html`<ul>${reasons.map(({ level, text }) => html`<li key=${text} class="is-${level}">
      ${text}</li>`)}</ul>` : null}
  </div>`

const roles: readonly (readonly [ReplicaRole, string])[] = [
  ['leader', 'leads'], ['follower', 'follows'], ['candidate', 'stands for election'], ['learner', 'learns'], ['halted', 'quarantined'],
  ['unknown', 'away'],
]

export const Legend = (): VNode => html`<ul class="legend" aria-label="Legend">${roles.map(([role, words]) => html`
  <li key=${role}><svg viewBox="0 0 20 20" aria-hidden="true"><${Replica} replica=${{ node: '', role, state: words }}
    place=${{ x: 10, y: 10 }} /></svg>${words}</li>`)}
  </ul>`

const NodeTable = ({ picture: { nodes } }: { picture: Picture }): VNode => html`<table class="nodes">
  <caption>Nodes</caption>
  <thead><tr><th scope="col">Node</th><th scope="col">State</th><th scope="col" class="number">Leads</th><th scope="col"
    class="number">Holds</th></tr></thead>
  <tbody>${nodes.map((one: NodeMark) => html`<tr key=${one.node} class="is-${one.condition}">
    <th scope="row"><a href=${linkTo('actors', { node: one.node, actor: 'node' })}>${one.node}</a>
      ${one.zone === '' ? null : html` <small>${one.zone}</small>`}</th>
    <td><span class="lamp" aria-hidden="true"></span>${one.condition}</td><td class="number">${one.leads}</td><td class="number">
      ${one.replicas}</td></tr>`)}
  </tbody></table>`

const ShardBox = ({ shard: { shard, leader, term, replicas, move }, onClose }: { shard: ShardMark; onClose: () => void }): VNode => html`
  <section class="box" aria-label="Shard ${shard}">
    <h2>Shard ${shard}<button type="button" class="quiet" onClick=${onClose} aria-label="Close">×</button></h2>
    <p>${leader === null ? 'No leader: an election is under way, or no majority of its replicas is there.' : html`Led by <b>${leader}
      </b> in term ${term}.`}
    ${move === null ? null : ` Move ${move.id}: ${move.add ?? 'nothing'} comes, ${move.remove ?? 'nothing'} goes (${move.step}).`}</p>
    <ul class="plain">${replicas.map(({ node, role, state }) => html`<li key=${node}>
      <svg viewBox="0 0 20 20" aria-hidden="true"><${Replica} replica=${{ node, role, state }} place=${{ x: 10, y: 10 }} /></svg>
      <a href=${linkTo('actors', { node, actor: `raft/${shard}` })}>${node}</a> <span class="faint">
        ${role === 'unknown' ? 'away' : state}</span></li>`)}
    </ul>
  </section>`
