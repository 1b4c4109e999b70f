/** The lanes of one simulated group, in virtual seconds; drawn anew only some times a virtual second. */

import { useMemo } from 'preact/hooks'
import { LanesDrawing } from './lanesDrawing.ts'
import { lanesOf } from './lanes.ts'
import { html } from './html.ts'
import { GONE, laneRecords } from './simulatorRun.ts'
import type { VNode } from 'preact'

const SPAN_MS = 12_000
const STEP_MS = 100

export const SimulatorLanes = ({ shard, now }: { shard: number; now: number }): VNode => {
  const to = Math.max(SPAN_MS, Math.ceil(now / STEP_MS) * STEP_MS)
  const drawn = useMemo(() => {
    const from = to - SPAN_MS
    const lanes = lanesOf(laneRecords(), { actor: `raft/${shard}`, from, to: Math.max(from + 1, now), now: [] })
      .map((lane) => ({ ...lane, bands: lane.bands.filter(({ state }) => state !== GONE) }))
    return html`<${LanesDrawing} lanes=${lanes} from=${from} to=${to} tickText=${(at: number) => `${(at / 1_000).toFixed(1)} s`} />`
  }, [shard, to, now < SPAN_MS ? Math.floor(now / STEP_MS) : 0])
  return html`<section class="group" aria-label="The group"><h2>The group of shard ${shard}<span
    class="faint"> · the last ${SPAN_MS / 1_000} simulated seconds</span></h2>${drawn}
    <p class="lane-legend"><span class="key proposal">proposal</span><span class="key append">append</span><span
      class="key heartbeat">heartbeat</span><span class="key vote">vote</span></p></section>`
}
