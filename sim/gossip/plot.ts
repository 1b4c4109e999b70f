/**
 * The plot of docs/SCALE.md: detection time over the size of the group, a line a weather, on a logarithmic axis; below it messages per
 * node and second. Plain SVG, legible on white and on dark pages.
 */

import { medianOf } from './tables.ts'
import type { Measurement } from './measure.ts'

const WIDTH = 720
const PANEL = { left: 60, right: 190, top: 40, height: 200, gap: 70 }
const COLORS = ['#1b7f5c', '#c77700', '#b3261e', '#3a5fcd']
const MS_PER_SECOND = 1_000

interface Panel {
  readonly title: string
  readonly top: number
  readonly valueOf: (row: Measurement) => number
}

export const drawPlot = (rows: readonly Measurement[]): string => {
  const panels: readonly Panel[] = [
    {
      title: 'Seconds from a crash until every node holds it for dead (median)', top: PANEL.top,
      valueOf: ({ allDeaths }) => medianOf(allDeaths) / MS_PER_SECOND,
    },
    {
      title: 'Messages that a node sends per second', top: PANEL.top + PANEL.height + PANEL.gap,
      valueOf: ({ messagesPerSecond }) => messagesPerSecond,
    },
  ]
  const height = PANEL.top + 2 * PANEL.height + PANEL.gap + 50
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    ...panels.flatMap((panel) => drawPanel(panel, rows)),
    '</svg>\n',
  ].join('\n')
}

const drawPanel = ({ title, top, valueOf }: Panel, rows: readonly Measurement[]): readonly string[] => {
  const bottom = top + PANEL.height
  const right = WIDTH - PANEL.right
  const sizes = [...new Set(rows.map(({ condition }) => condition.nodes))]
  const weathers = [...new Set(rows.map(({ condition }) => condition.name))]
  const most = niceCeiling(Math.max(1, ...rows.map(valueOf)))
  const x = (nodes: number): number => {
    const [from, to] = [Math.log10(Math.min(...sizes)), Math.log10(Math.max(...sizes))]
    return PANEL.left + (right - PANEL.left) * (to === from ? 0.5 : (Math.log10(nodes) - from) / (to - from))
  }
  const y = (value: number): number => bottom - PANEL.height * (value / most)
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    line([PANEL.left, y(most * share)], [right, y(most * share)], '#dddddd'),
    text([PANEL.left - 8, y(most * share) + 4], String(Math.round(most * share * 10) / 10), 'end'),
  ])
  const lines = weathers.flatMap((weather, i) => {
    const color = COLORS[i % COLORS.length] ?? '#000000'
    const points = rows.filter(({ condition }) => condition.name === weather)
      .map((row): Point => [x(row.condition.nodes), y(valueOf(row))])
    const path = points.map((point) => point.map(rounded).join(',')).join(' ')
    return [
      `<polyline fill="none" stroke="${color}" stroke-width="2" points="${path}"/>`,
      ...points.map(([px, py]) => `<circle cx="${rounded(px)}" cy="${rounded(py)}" r="3" fill="${color}"/>`),
      text([right + 12, top + 14 + 18 * i], `● ${weather}`, 'start', color),
    ]
  })
  return [
    text([PANEL.left, top - 12], title, 'start'),
    ...grid, ...lines,
    ...sizes.map((nodes) => text([x(nodes), bottom + 18], `${nodes} nodes`, 'middle')),
  ]
}

type Point = readonly [number, number]

const rounded = (value: number): string => value.toFixed(1)

const line = (from: Point, to: Point, color: string): string =>
  `<line x1="${rounded(from[0])}" y1="${rounded(from[1])}" x2="${rounded(to[0])}" y2="${rounded(to[1])}" stroke="${color}"/>`

const text = (at: Point, words: string, anchor: 'start' | 'middle' | 'end', color = '#222222'): string =>
  `<text x="${rounded(at[0])}" y="${rounded(at[1])}" text-anchor="${anchor}" fill="${color}">${words}</text>`

/** 1, 2, 4 or 5 times a power of ten. */
const niceCeiling = (value: number): number => {
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 4, 5, 8, 10].find((times) => times * power >= value) ?? 10) * power
}
