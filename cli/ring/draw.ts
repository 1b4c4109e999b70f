/**
 * The ring for a person, at 80 columns. A strip of the 2^32 points says which node a walk that starts there meets first; below it every
 * mark is the start of a shard's walk. Then the nodes, each with a letter and a bar of its load against its share; then shards
 * across and nodes down, so that a column is a shard and its replicas, and a row is a node and its load.
 */

import { ringArcs, shardPoint } from '../../topology/ring.ts'
import { isNodeId } from '../../topology/ids.ts'
import { table } from '../table.ts'
import type { createColors } from 'picocolors'
import type { RingView, RingViewNode } from './view.ts'

type Colors = ReturnType<typeof createColors>

const STRIP_COLUMNS = 64
const BAR_COLUMNS = 16
const SHARDS_PER_BLOCK = 64
const SHARDS_PER_TICK = 8
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const RING_POINTS = 2 ** 32

export const drawRing = (view: RingView, colors: Colors): string => [
  `cluster ${view.cluster}, epoch ${view.epoch}, ${view.shardCount} shards, ${replicasIn(view)} replicas`,
  '',
  ...strip(view, colors),
  '',
  nodeTable(view, colors),
  ...blocks(view, colors),
  '',
  `${mark('leader', colors)} leads  ${mark('follower', colors)} follows  ${colors.dim('.')} not here; a column is a shard`,
].join('\n')

const replicasIn = ({ nodes }: RingView): number => nodes.reduce((sum, { replicas }) => sum + replicas, 0)

const letterOf = ({ nodes }: RingView, id: string): string => LETTERS[nodes.findIndex((node) => node.id === id)] ?? '*'

/** Each node its own colour, as far as there are colours. */
const paint = (view: RingView, id: string, colors: Colors): ((text: string) => string) => {
  const palette = [colors.cyan, colors.magenta, colors.yellow, colors.green, colors.blue, colors.red]
  return palette[Math.max(0, view.nodes.findIndex((node) => node.id === id)) % palette.length] ?? colors.cyan
}

const strip = (view: RingView, colors: Colors): readonly string[] => {
  const nodes = view.nodes.flatMap(({ id, weight, zone }) => (isNodeId(id) ? [{ id, weight, zone }] : []))
  const owners = ringArcs(nodes, STRIP_COLUMNS).map((id) => paint(view, id, colors)(letterOf(view, id)))
  const starts = new Set(view.shards.map(({ id }) => Math.floor((shardPoint(id) / RING_POINTS) * STRIP_COLUMNS)))
  const marks = Array.from({ length: STRIP_COLUMNS }, (_, cell) => (starts.has(cell) ? '^' : ' ')).join('').trimEnd()
  return [
    colors.dim(`RING  0${'2^31'.padStart(STRIP_COLUMNS / 2 + 1)}${'2^32'.padStart(STRIP_COLUMNS / 2 - 2)}`),
    `      ${owners.join('')}`,
    colors.dim(`      ${marks}`),
  ]
}

const nodeTable = (view: RingView, colors: Colors): string => {
  const busiest = Math.max(1, ...view.nodes.map(({ replicas, share }) => Math.max(replicas, share)))
  return table(['', 'NODE', 'STATE', 'ZONE', 'WEIGHT', 'LEADS', 'REPLICAS', 'SHARE', ''], view.nodes.map((node) => [
    paint(view, node.id, colors)(letterOf(view, node.id)),
    node.id,
    node.state === 'serving' ? colors.green(node.state) : colors.red(node.state),
    node.zone === '' ? '-' : node.zone,
    String(node.weight),
    String(node.leads),
    String(node.replicas),
    node.share.toFixed(1),
    bar(node, busiest),
  ]), { numeric: [4, 5, 6, 7] })
}

/** `#` for what is carried, `|` where the share is. */
const bar = ({ replicas, share }: RingViewNode, busiest: number): string => {
  const cells = (count: number): number => Math.round((count / busiest) * BAR_COLUMNS)
  const full = '#'.repeat(cells(replicas)).padEnd(BAR_COLUMNS + 1)
  const at = cells(share)
  return `${full.slice(0, at)}|${full.slice(at)}`.trimEnd()
}

const blocks = (view: RingView, colors: Colors): readonly string[] => {
  const width = Math.max('SHARD'.length, ...view.nodes.map(({ id }) => id.length)) + 1
  const starts = Array.from({ length: Math.ceil(view.shardCount / SHARDS_PER_BLOCK) }, (_, i) => i * SHARDS_PER_BLOCK)
  return starts.flatMap((start) => {
    const shards = view.shards.slice(start, start + SHARDS_PER_BLOCK)
    const ticks = shards.filter(({ id }) => id % SHARDS_PER_TICK === 0).map(({ id }) => String(id).padEnd(SHARDS_PER_TICK)).join('')
    return [
      '',
      colors.dim(`${'SHARD'.padEnd(width)}${ticks}`.trimEnd()),
      ...view.nodes.map(({ id }) => `${id.padEnd(width)}${shards.map((shard) => {
        if (!shard.replicas.includes(id)) return colors.dim('.')
        return paint(view, id, colors)(shard.leader === id ? '@' : 'o')
      }).join('')}`),
    ]
  })
}

const mark = (role: 'leader' | 'follower', colors: Colors): string => colors.bold(role === 'leader' ? '@' : 'o')
