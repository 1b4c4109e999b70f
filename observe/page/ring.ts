/**
 * The cluster as a ring: a circle for each node, a spoke for each shard, a mark where a replica lives. A leader is a disc, a follower a
 * small circle; what is on its way is an arrow along its spoke. Marks differ in form, not in colour alone.
 *
 * Where a spoke stands is decided by the number of shards, where a circle by the number of nodes: nothing moves but what changes.
 */

import { html } from './html.ts'
import { shortened } from './words.ts'
import type { VNode } from 'preact'
import type { NodeMark, Picture, ReplicaMark, ShardMark } from './picture.ts'

const SIZE = 640
const CENTRE = SIZE / 2
const INNER = 112
const OUTER = 262
const LABELS = 286
/** Left free at the top, for the names of the nodes. */
const GAP = 0.72
/** Of a node's name, in the gap at the top. */
const NAME_CHARACTERS_MAX = 14
/** More numbers than this do not fit around the ring. */
const LABELS_MAX = 48

export interface RingProps {
  readonly picture: Picture
  readonly selected: number | null
  readonly onSelect: (shard: number) => void
  readonly figure: string
  readonly caption: string
}

export const Ring = ({ picture, selected, onSelect, figure, caption }: RingProps): VNode => {
  const { nodes, shards } = picture
  const radii = new Map(nodes.map(({ node }, i) => [node, radiusAt(i, nodes.length)]))
  const step = (by: number): void => {
    const at = shards.findIndex(({ shard }) => shard === selected)
    const next = shards[(at + by + shards.length) % shards.length]
    if (next !== undefined) onSelect(next.shard)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
    if (by === undefined) return
    event.preventDefault()
    step(by)
  }
  return html`<svg class="ring" viewBox="0 24 ${SIZE} ${SIZE - 44}" role="listbox" tabindex="0" onKeyDown=${onKeyDown}
    aria-label="Ring of ${shards.length} shards over ${nodes.length} nodes. Arrow keys choose a shard."
    aria-activedescendant=${selected === null ? undefined : `spoke-${selected}`}>
    <defs><marker id="moves" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path class="move-head"
      d="M0 0L8 4L0 8z"/></marker></defs>
    ${nodes.map((one) => html`<${Track} key=${one.node} node=${one} radius=${radii.get(one.node)} />`)}
    ${shards.map((shard, i) => html`<${Spoke} key=${shard.shard} shard=${shard} angle=${angleAt(i, shards.length)} radii=${radii}
      isSelected=${shard.shard === selected} isLabelled=${i % Math.ceil(shards.length / LABELS_MAX) === 0} onSelect=${onSelect} />`)}
    <text class="ring-figure" x=${CENTRE} y=${CENTRE + 4}>${figure}</text>
    <text class="ring-caption" x=${CENTRE} y=${CENTRE + 28}>${caption}</text>
  </svg>`
}

const radiusAt = (i: number, count: number): number => (count < 2 ? OUTER : OUTER - i * ((OUTER - INNER) / (count - 1)))

const angleAt = (i: number, count: number): number => -Math.PI / 2 + GAP / 2 + (i + 0.5) * ((2 * Math.PI - GAP) / count)

const at = (radius: number, angle: number): { readonly x: number; readonly y: number } =>
  ({ x: Math.round((CENTRE + radius * Math.cos(angle)) * 10) / 10, y: Math.round((CENTRE + radius * Math.sin(angle)) * 10) / 10 })

const Track = ({ node: { node, condition }, radius }: { node: NodeMark; radius: number }): VNode => {
  const from = at(radius, -Math.PI / 2 + GAP / 2)
  const to = at(radius, -Math.PI / 2 - GAP / 2)
  return html`<g class="track is-${condition}">
    <path d="M${from.x} ${from.y}A${radius} ${radius} 0 1 1 ${to.x} ${to.y}" />
    <text x=${CENTRE} y=${CENTRE - radius + 5}>${shortened(node, NAME_CHARACTERS_MAX)}${condition === 'serving'
      ? ''
      : ` · ${condition}`}</text>
  </g>`
}

interface SpokeProps {
  readonly shard: ShardMark
  readonly angle: number
  readonly radii: ReadonlyMap<string, number>
  readonly isSelected: boolean
  readonly isLabelled: boolean
  readonly onSelect: (shard: number) => void
}

const Spoke = ({ shard, angle, radii, isSelected, isLabelled, onSelect }: SpokeProps): VNode => {
  const [inner, outer, label] = [at(INNER - 16, angle), at(OUTER + 10, angle), at(LABELS, angle)]
  const classes = `spoke${isSelected ? ' is-selected' : ''}${shard.isLeaderless ? ' is-leaderless' : ''}`
  return html`<g class=${classes} id="spoke-${shard.shard}" role="option" aria-selected=${isSelected} aria-label=${spokeWords(shard)}
    onClick=${() => onSelect(shard.shard)}>
    <line class="hit" x1=${inner.x} y1=${inner.y} x2=${label.x} y2=${label.y} />
    <line class="line" x1=${inner.x} y1=${inner.y} x2=${outer.x} y2=${outer.y} />
    ${isLabelled || isSelected || shard.isLeaderless ? html`<text x=${label.x} y=${label.y + 4}>
      ${shard.shard}${shard.isLeaderless ? '!' : ''}</text>` : null}
    ${shard.move === null ? null : html`<${MoveArrow} move=${shard.move} angle=${angle} radii=${radii} />`}
    ${shard.replicas.map((replica) => html`<${Replica} key=${replica.node} replica=${replica}
      place=${at(radii.get(replica.node) ?? OUTER, angle)} />`)}
  </g>`
}

const spokeWords = ({ shard, leader, isLeaderless, term, replicas }: ShardMark): string =>
  `Shard ${shard}, ${leader === null ? (isLeaderless ? 'without a leader' : 'leader not known') : `led by ${leader} in term ${term}`}, `
  + `replicas on ${replicas.map(({ node }) => node).join(', ')}`

interface MoveProps {
  readonly move: NonNullable<ShardMark['move']>
  readonly angle: number
  readonly radii: ReadonlyMap<string, number>
}

const MoveArrow = ({ move, angle, radii }: MoveProps): VNode | null => {
  const radiusOf = (replica: string | null): number | undefined => radii.get(replica?.split(':')[0] ?? '')
  const to = radiusOf(move.add)
  const from = radiusOf(move.remove)
  if (to === undefined && from === undefined) return null
  const side = angle + 0.055
  const [a, b] = [at(from ?? INNER - 30, side), at(to ?? INNER - 30, side)]
  return html`<line class="move" x1=${a.x} y1=${a.y} x2=${b.x} y2=${b.y} marker-end="url(#moves)"><title>move ${move.id}: ${move.step}
    </title></line>`
}

/** A replica as a mark of its role; also for legends. */
export const Replica = ({ replica: { node, role, state }, place: { x, y } }: {
  replica: Pick<ReplicaMark, 'node' | 'role' | 'state'>; place: { readonly x: number; readonly y: number }
}): VNode => {
  const title = html`<title>${node}: ${state === '' ? role : state}</title>`
  switch (role) {
    case 'leader': return html`<circle class="replica leader" cx=${x} cy=${y} r="8">${title}</circle>`
    case 'candidate': return html`<path class="replica candidate" d="M${x} ${y - 8}L${x + 7} ${y + 5}L${x - 7} ${y + 5}z">${title}</path>`
    case 'halted': return html`<path class="replica halted"
      d="M${x - 5} ${y - 5}L${x + 5} ${y + 5}M${x + 5} ${y - 5}L${x - 5} ${y + 5}">${title}</path>`
    case 'unknown': return html`<path class="replica unknown" d="M${x - 5} ${y}H${x + 5}">${title}</path>`
    case 'learner': case 'starting': return html`<circle class="replica learner" cx=${x} cy=${y} r="5">${title}</circle>`
    case 'follower': return html`<circle class="replica follower" cx=${x} cy=${y} r="4.5">${title}</circle>`
  }
}
