/**
 * A cluster that lives in the page: the charts and cores of the product over simulated clocks, disks and a network. One kills, stops and
 * cuts off nodes and watches what the others make of it; the page's address replays it.
 */

import { useEffect, useState } from 'preact/hooks'
import { html } from './html.ts'
import { HealthBox, Legend } from './clusterView.ts'
import { Ring } from './ring.ts'
import { SimulatorSetup } from './simulatorSetup.ts'
import { SimulatorLanes } from './simulatorLanes.ts'
import { SimulatorStory } from './simulatorStory.ts'
import { conditionOf, pictureOfScene, wordsOfScene } from './simulatorPicture.ts'
import { act, currentRun, go, isBroken, openRun, replay, seen, showAddress, speed, stand, step } from './simulatorRun.ts'
import { addressOf, defaultRun, runOf } from '../simulator/address.ts'
import { route } from './route.ts'
import { counted } from './words.ts'
import type { VNode } from 'preact'
import type { Shown } from './html.ts'
import type { Deed } from '../simulator/address.ts'
import type { FromSimulator, MachineSeen, Scene, Speed } from '../simulator/protocol.ts'

export const SimulatorView = (): VNode => {
  const [problem, setProblem] = useState('')
  const [selected, select] = useState<number | null>(0)
  useEffect(() => {
    const { view, query } = route.value
    const current = currentRun()
    if (view !== 'simulator') return
    if (current !== null && (Object.keys(query).length === 0 || addressOf(current) === location.hash)) {
      showAddress()
      return
    }
    const run = runOf(query)
    setProblem('problem' in run ? run.problem : '')
    if ('problem' in run) stand()
    else openRun(run)
  }, [route.value])
  useEffect(() => stand, [])
  const now = seen.value
  return html`<section class="view simulator" aria-labelledby="simulator-title">
    <header class="bar"><h1 id="simulator-title">Simulator</h1>
      <${SimulatorSetup} run=${now?.run ?? defaultRun} /></header>
    ${problem === '' ? null : html`<p class="problem" role="alert">${problem} <a href=${addressOf(defaultRun)}>Begin another run</a>.</p>`}
    ${isBroken.value ? html`<p class="problem" role="alert">The simulator has ended: its script did not load, or it failed.</p>` : null}
    ${problem !== '' ? null : now === null ? html`<p class="faint" role="status">The simulator is being loaded …</p>`
      : html`<${Running} now=${now} selected=${selected} onSelect=${select} />`}
  </section>`
}

interface RunningProps {
  readonly now: FromSimulator
  readonly selected: number | null
  readonly onSelect: (shard: number) => void
}

const Running = ({ now, selected, onSelect }: RunningProps): VNode => {
  const { scene, run } = now
  const picture = pictureOfScene(scene)
  const shard = Math.min(selected ?? 0, scene.groups.length - 1)
  return html`<div class="simulator-body">
    <${HealthBox} health=${wordsOfScene(scene)} problem="" />
    <div class="simulator-ring"><${Ring} picture=${picture} selected=${shard} onSelect=${onSelect}
      figure=${`${(scene.now / 1_000).toFixed(1)} s`} caption="simulated" /><${Legend} /></div>
    <div class="simulator-side">
      <${Transport} now=${now} />
      <${Machines} scene=${scene} isByHand=${run.faults === 'byHand'} />
      <${SimulatorStory} isDrawn=${run.faults === 'drawn'} />
    </div>
    <${SimulatorLanes} shard=${shard} now=${scene.now} />
    <${Digest} scene=${scene} />
  </div>`
}

const speeds: readonly (readonly [string, Speed, string])[] = [
  ['¼×', 0.25, 'a quarter of real time'], ['1×', 1, 'real time'], ['4×', 4, 'four times real time'], ['max', null, 'as fast as it goes'],
]

const Transport = ({ now: { isGoing, scene, run } }: { now: FromSimulator }): VNode => {
  const onSpeed = (wanted: Speed): void => {
    if (isGoing) go(wanted)
    else speed.value = wanted
  }
  return html`<div class="transport" role="group" aria-label="Time">
    <button type="button" class="primary" disabled=${scene.isEnded} onClick=${() => (isGoing ? stand() : go(speed.value))}>
      ${isGoing ? 'Pause' : 'Go on'}</button>
    <button type="button" class="chip" disabled=${scene.isEnded} onClick=${step} title="To the next thing that happens">step ▸</button>
    <span class="chips" role="group" aria-label="Speed">${speeds.map(([words, wanted, title]) => html`<button key=${words} type="button"
      class="chip" title=${title} aria-label=${title} aria-pressed=${speed.value === wanted} onClick=${() => onSpeed(wanted)}>${words}
      </button>`)}</span>
    <button type="button" class="chip" onClick=${() => openRun({ ...run, to: null, digest: null })}
      title="The same run, with all that was done in it">from the start</button>
  </div>`
}

const deedWords: Readonly<Record<Deed, readonly [string, string]>> = {
  kill: ['kill', 'End the process of'], start: ['start', 'Start'], pause: ['pause', 'Stop the process of'], resume: ['resume', 'Let go on'],
  cut: ['cut off', 'Cut off from everybody'], heal: ['connect', 'Connect again'], join: ['let it join', 'Let join the cluster:'],
  drain: ['drain', 'Move everything away from'],
}

const deedsFor = ({ condition, isCut }: MachineSeen): readonly Deed[] => {
  switch (condition) {
    case 'unused': case 'left': return ['join']
    case 'dead': return ['start', isCut ? 'heal' : 'cut']
    case 'paused': return ['kill', 'resume', isCut ? 'heal' : 'cut']
    case 'draining': return ['kill', 'pause', isCut ? 'heal' : 'cut']
    case 'running': case 'starting': return ['kill', 'pause', isCut ? 'heal' : 'cut', 'drain']
  }
}

const Machines = ({ scene, isByHand }: { scene: Scene; isByHand: boolean }): VNode => html`<table class="nodes machines">
  <caption>Nodes</caption>
  <thead><tr><th scope="col">Node</th><th scope="col">State</th><th scope="col" class="number">Leads</th>
    ${isByHand ? html`<th scope="col">Do</th>` : null}</tr></thead>
  <tbody>${scene.machines.map((machine) => html`<${MachineRow} key=${machine.node} machine=${machine} isByHand=${isByHand}
    leads=${scene.groups.filter(({ leader }) => leader === machine.node).length} isEnded=${scene.isEnded} />`)}</tbody></table>`

interface MachineRowProps {
  readonly machine: MachineSeen
  readonly leads: number
  readonly isByHand: boolean
  readonly isEnded: boolean
}

const stateWords = (machine: MachineSeen): string => {
  if (machine.condition === 'unused') return 'spare'
  if (machine.condition === 'left') return 'has left'
  const condition = conditionOf(machine)
  return condition === 'cut' ? 'cut off' : condition
}

const MachineRow = ({ machine, leads, isByHand, isEnded }: MachineRowProps): VNode => {
  const isSpare = machine.condition === 'unused' || machine.condition === 'left'
  return html`<tr class="is-${isSpare ? 'spare' : conditionOf(machine)}" data-node=${machine.node}>
    <th scope="row">${machine.node}</th>
    <td>${isSpare ? null : html`<span class="lamp" aria-hidden="true"></span>`}${stateWords(machine)}</td>
    <td class="number">${isSpare ? '' : leads}</td>
    ${isByHand ? html`<td class="deeds">${deedsFor(machine).map((deed) => html`<button key=${deed} type="button" class="chip"
      disabled=${isEnded} aria-label="${deedWords[deed][1]} ${machine.node}" onClick=${() => act(deed, machine.node)}>
      ${deedWords[deed][0]}</button>`)}</td>` : null}</tr>`
}

const promises: Readonly<Record<'same' | 'other', string>> = {
  same: 'The same to the byte as when this address was made.',
  other: 'Not the run that this address was made of: the code is another.',
}

const Digest = ({ scene: { events, acknowledged, digest, violation, now } }: { scene: Scene }): Shown => html`<p class="digest faint">
  ${counted(events)} events, ${counted(acknowledged)} writes acknowledged${violation === null ? ', every invariant held' : ''}.
  Digest <code data-at=${Math.ceil(now)}>${digest}</code>
  ${replay.value === null ? null : html`<b class="is-${replay.value}" role="status"> ${promises[replay.value]}</b>`}</p>`
