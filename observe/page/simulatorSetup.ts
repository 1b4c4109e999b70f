/** What a run begins with. Changing any of it is another run, with another address. */

import { goTo } from './route.ts'
import { html } from './html.ts'
import { NODES, SHARDS, defaultRun, queryOf } from '../simulator/address.ts'
import type { VNode } from 'preact'
import type { RunByHand, SimulatedRun } from '../simulator/address.ts'

const LOSSES = [0, 0.01, 0.05, 0.1, 0.2, 0.3]
const DELAYS_MS = [1, 5, 20, 50, 100]
const SEED_MAX = 999_999

const begin = (run: RunByHand): void => goTo('simulator', queryOf({ ...run, commands: [], to: null, digest: null }))

export const SimulatorSetup = ({ run }: { run: SimulatedRun }): VNode => {
  if (run.faults === 'drawn') {
    const version = run.commit === null ? '' : `, as of ${run.commit.slice(0, 7)}`
    return html`<p class="setup faint">Seed ${run.seed} of <code>npm run sim</code>: what happens in it is drawn from its
      seed${version}. <button type="button" class="chip" onClick=${() => begin(defaultRun)}>do things by hand
      </button></p>`
  }
  const seedFrom = (event: Event): void => {
    const seed = Number((event.target as HTMLInputElement).value)
    if (Number.isSafeInteger(seed) && seed >= 1) begin({ ...run, seed })
  }
  return html`<div class="setup" role="group" aria-label="The run">
    <label class="field">Seed <input type="number" min="1" step="1" class="seed" value=${run.seed} onChange=${seedFrom} /></label>
    <${Choice} label="Nodes" value=${run.nodes} choices=${NODES} onChoose=${(nodes: number) => begin({ ...run, nodes })} />
    <${Choice} label="Shards" value=${run.shards} choices=${SHARDS} onChoose=${(shards: number) => begin({ ...run, shards })} />
    <${Choice} label="Loss" value=${run.loss} choices=${LOSSES} words=${(loss: number) => `${Math.round(loss * 1_000) / 10} %`}
      onChoose=${(loss: number) => begin({ ...run, loss })} />
    <${Choice} label="Delay" value=${run.delayMs} choices=${DELAYS_MS} words=${(ms: number) => `${ms} ms`}
      onChoose=${(delayMs: number) => begin({ ...run, delayMs })} />
    <button type="button" class="chip"
      onClick=${() => begin({ ...run, seed: 1 + Math.floor(Math.random() * SEED_MAX) })}>another seed</button>
  </div>`
}

interface ChoiceProps {
  readonly label: string
  readonly value: number
  readonly choices: readonly number[]
  readonly words?: (choice: number) => string
  readonly onChoose: (choice: number) => void
}

/** An address may say what is not on the list. */
const Choice = ({ label, value, choices, words = String, onChoose }: ChoiceProps): VNode => {
  const all = choices.includes(value) ? choices : [...choices, value].sort((a, b) => a - b)
  return html`<label class="field">${label} <select value=${value}
    onChange=${(event: Event) => onChoose(Number((event.target as HTMLSelectElement).value))}>
    ${all.map((one) => html`<option key=${one} value=${one} selected=${one === value}>${words(one)}</option>`)}</select></label>`
}
