/** What happened in the simulated cluster, in words, newest first. */

import { happeningsOf } from './happenings.ts'
import { html } from './html.ts'
import { historyRecords } from './simulatorRun.ts'
import type { VNode } from 'preact'
import type { Happening } from './happenings.ts'

const LINES = 14
/** Of the newest, for these lines. */
const RECORDS = 400

export const SimulatorStory = ({ isDrawn }: { isDrawn: boolean }): VNode => {
  const told = happeningsOf(historyRecords().slice(-RECORDS), []).flatMap((one) => lineOf(one, isDrawn)).slice(0, LINES)
  return html`<section class="story" aria-label="What happened"><h2>What happened</h2>
    ${told.length === 0 ? html`<p class="faint">Nothing yet.</p>` : html`<ol class="history">${told.map(({ at, topic, who, what }) => html`
      <li key=${`${at} ${who} ${what}`} class="is-${topic}"><time>${(at / 1_000).toFixed(2)} s</time><span class="who">${who}</span><span
        class="what">${what}</span></li>`)}</ol>`}</section>`
}

/** What the simulator itself notes begins with whom it is about. */
const lineOf = (one: Happening, isDrawn: boolean): readonly Happening[] => {
  // Logs are as short here as they get: there would be nothing else.
  if (one.what.startsWith('wrote a snapshot')) return []
  if (one.who !== 'sim on sim') return [one]
  const [who = '', ...words] = one.what.split(' ')
  const what = words.join(' ')
  if (who === 'sim') return [{ ...one, who: isDrawn ? 'the simulator' : 'you', what }]
  return /^(?:is killed|starts|is stopped|runs again|loses)/.test(what) ? [] : [{ ...one, who, what }]
}
