/**
 * Measures the ring for docs/SCALE.md: what a join and a drain move, how even the loads are, and how long it takes, for 10 to 10,000
 * nodes. Prints the table and writes the plot: node scripts/ringScale.mjs > ring.md (after npm run build).
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../bin/bootstrap.mjs'

const { place } = await import(join(root, 'dist/topology/ring.js'))
const { rebalance } = await import(join(root, 'dist/topology/rebalance.js'))

const COPIES = 3
const sizes = [10, 100, 1_000, 10_000]
const shardCounts = [16, 128, 1_024]

const nodesNamed = (count) => Array.from({ length: count }, (_, i) => ({ id: `n${i + 1}`, weight: 1, zone: '' }))

const spread = ({ replicas }, count) => {
  const loads = new Map(nodesNamed(count).map(({ id }) => [id, 0]))
  for (const id of replicas.flat()) loads.set(id, (loads.get(id) ?? 0) + 1)
  return { least: Math.min(...loads.values()), most: Math.max(...loads.values()) }
}

const moved = (before, after) =>
  after.replicas.reduce((sum, nodes, shard) => sum + nodes.filter((id) => !before.replicas[shard].includes(id)).length, 0)

const measure = (count, shardCount) => {
  const input = { nodes: nodesNamed(count), shardCount, replicationFactor: COPIES }
  const larger = { ...input, nodes: nodesNamed(count + 1) }
  const walked = place(input)
  const before = rebalance(walked, input)
  const startedAt = performance.now()
  const joined = rebalance(before, larger)
  const joinMs = performance.now() - startedAt
  const left = rebalance(joined, input)
  return {
    count, shardCount, share: shardCount * COPIES / (count + 1), joinMs, before: spread(before, count), walked: spread(walked, count),
    join: moved(before, joined), leave: moved(joined, left), again: moved(walked, place(larger)),
  }
}

const range = ({ least, most }) => `${least} - ${most}`

const rows = sizes.flatMap((count) => shardCounts.map((shardCount) => measure(count, shardCount)))
const lines = [
  '| nodes | shards | replicas a node | walk | evened | share of one more | its join moves | its drain moves | a new walk would move | ms |',
  '|---|---|---|---|---|---|---|---|---|---|',
  ...rows.map((row) => `| ${row.count.toLocaleString('en')} | ${row.shardCount.toLocaleString('en')} | ${(row.shardCount * COPIES / row.count).toFixed(2)} `
    + `| ${range(row.walked)} | ${range(row.before)} | ${row.share.toFixed(2)} | ${row.join} | ${row.leave} | ${row.again} | ${row.joinMs.toFixed(0)} |`),
]
process.stdout.write(`${lines.join('\n')}\n`)

/** Moves of one join against its share, both logarithmic; a line is a shard count. */
const plot = () => {
  const [width, height, edge] = [640, 360, 56]
  const x = (count) => edge + (Math.log10(count) - 1) / 3 * (width - 2 * edge)
  const y = (ratio) => height - edge - Math.min(ratio, 2) / 2 * (height - 2 * edge)
  const text = (at, up, anchor, words) => `<text x="${at}" y="${up}" text-anchor="${anchor}">${words}</text>`
  const dots = rows.filter(({ share }) => share >= 1).flatMap((row) => [
    `<circle cx="${x(row.count)}" cy="${y(row.join / row.share)}" r="5" fill="#1f77b4"/>`,
    `<path d="M${x(row.count) - 4} ${y(row.again / row.share) - 4}l8 8m0-8l-8 8" stroke="#d62728" stroke-width="2"/>`,
  ])
  const rules = [0, 0.5, 1, 1.5, 2].map((ratio) =>
    `<path d="M${edge} ${y(ratio)}H${width - edge}" stroke="${ratio === 1 ? '#888' : '#ddd'}"/>${text(edge - 8, y(ratio) + 4, 'end', ratio)}`)
  const ticks = sizes.map((count) => text(x(count), height - edge + 20, 'middle', count.toLocaleString('en')))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`, ...rules, ...ticks, ...dots,
    text(width / 2, 24, 'middle', 'Replicas that one more node moves, divided by its share (shares of 1 and more)'),
    text(width / 2, height - 12, 'middle', 'nodes; dot: rebalance, cross: the ring walked anew; 16, 128 and 1,024 shards'),
    '</svg>', '',
  ].join('\n')
}
writeFileSync(join(root, 'docs/ring.svg'), plot())
