/**
 * The Observatory: five views of one cluster and a simulated one (docs/OBSERVATORY.md), in a frame that says where one is and whether what
 * is seen is live.
 */

import { render } from 'preact'
import { useEffect } from 'preact/hooks'
import { ActorsView } from './actorsView.ts'
import { ClusterView } from './clusterView.ts'
import { EventsView } from './eventsView.ts'
import { SimulatorView } from './simulatorView.ts'
import { TimeView } from './timeView.ts'
import { TraceView } from './traceView.ts'
import { facts, figures, link, startLive } from './live.ts'
import { giveToken, isTokenWanted } from './access.ts'
import { goTo, linkTo, route, startRoute } from './route.ts'
import { html } from './html.ts'
import { loadCharts } from './chart.ts'
import { counted } from './words.ts'
import type { VNode } from 'preact'

const views = [
  ['cluster', 'Cluster', ClusterView], ['actors', 'Actors', ActorsView], ['trace', 'Trace', TraceView], ['time', 'Time', TimeView],
  ['events', 'Events', EventsView], ['simulator', 'Simulator', SimulatorView],
] as const

const App = (): VNode => {
  const [, words, View] = views.find(([name]) => name === route.value.view) ?? views[0]
  useEffect(() => { document.title = `${words} · ShardKV Observatory` }, [words])
  return html`<a class="skip" href="#main">Skip to the view</a>
    <header class="frame"><p class="brand">ShardKV <span class="faint">${facts.value?.cluster.cluster ?? ''}</span></p>
      <nav aria-label="Views">${views.map(([name, label], i) => html`<a key=${name} href=${linkTo(name)}
        aria-current=${View === views[i]?.[2] ? 'page' : undefined} aria-keyshortcuts=${String(i + 1)}>${label}</a>`)}</nav>
      ${View === SimulatorView ? null : html`<${LinkState} />`}</header>
    <main id="main" tabindex="-1">${isTokenWanted.value && View !== SimulatorView ? html`<${TokenForm} />` : html`<${View} />`}</main>`
}

const LinkState = (): VNode => {
  const { recordsPerSecond, busiestMs, lost } = figures.value
  const words = { connecting: 'connecting', live: 'live', broken: 'no feed: trying again' }[link.value]
  return html`<p class="link is-${link.value}" role="status" data-busiest-ms=${busiestMs.toFixed(1)} data-rate=${recordsPerSecond}><span
    class="lamp" aria-hidden="true"></span>${words}
    ${link.value === 'live' ? html`<span
      class="faint rate"> ${counted(recordsPerSecond)} records/s${lost > 0 ? `, ${counted(lost)} lost` : ''}</span>` : null}</p>`
}

const TokenForm = (): VNode => {
  const submit = (event: Event): void => {
    event.preventDefault()
    const token = new FormData(event.target as HTMLFormElement).get('token')
    if (typeof token === 'string') giveToken(token)
  }
  return html`<form class="token" onSubmit=${submit}><h1>This cluster asks for its token</h1>
    <p>It is the admin token of its nodes (SHARDKV_ADMIN_TOKEN). It stays in this tab, until the tab is closed.</p>
    <label class="field">Token <input name="token" type="password" autocomplete="off" required autofocus /></label> <button
      type="submit" class="primary">Look</button></form>`
}

/** A box to tick and a slider do not. */
const TAKES_DIGITS = 'input:not([type=checkbox], [type=range], [type=file]), select, textarea'

const onKey = ({ key, target, ctrlKey, metaKey, altKey }: KeyboardEvent): void => {
  if (ctrlKey || metaKey || altKey || (target instanceof HTMLElement && target.closest(TAKES_DIGITS) !== null)) return
  const view = views[Number(key) - 1]
  if (view !== undefined) goTo(view[0])
}

startRoute()
window.addEventListener('keydown', onKey)
const root = document.querySelector('#app')
if (root !== null) render(html`<${App} />`, root)
void loadCharts()
void startLive()
