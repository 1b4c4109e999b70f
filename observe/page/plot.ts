/** A line over time with uPlot, in the colours of the page; drawn anew when those change. */

import uPlot from 'uplot'
import { useEffect, useRef } from 'preact/hooks'
import { html } from './html.ts'
import type { VNode } from 'preact'

export interface PlotLine {
  readonly label: string
  /** A custom property of the style sheet. */
  readonly colour: string
  readonly isDashed?: boolean
}

export interface PlotProps {
  readonly title: string
  readonly lines: readonly PlotLine[]
  /** Seconds since 1970, then a column for each line. */
  readonly data: readonly (readonly (number | null)[])[]
  readonly format: (value: number) => string
}

const HEIGHT = 120
/** Of the upright axis. */
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000]

export const Plot = ({ title, lines, data, format }: PlotProps): VNode => {
  const host = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  useEffect(() => {
    const element = host.current
    if (element === null) return undefined
    const make = (): void => {
      plot.current?.destroy()
      plot.current = new uPlot(optionsOf({ title, lines, format, element }), data as unknown as uPlot.AlignedData, element)
    }
    make()
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    const resized = new ResizeObserver(() => { plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }) })
    scheme.addEventListener('change', make)
    resized.observe(element)
    return () => {
      scheme.removeEventListener('change', make)
      resized.disconnect()
      plot.current?.destroy()
    }
  }, [])
  useEffect(() => { plot.current?.setData(data as unknown as uPlot.AlignedData) }, [data])
  const last = lines.map(({ label }, i) => `${label} ${wordOf(data[i + 1]?.at(-1), format)}`).join(', ')
  return html`<figure class="plot"><figcaption>${title}<span class="plot-now">${lines.map(({ label, colour, isDashed }, i) =>
    html`<span key=${label} class="plot-key ${colour} ${isDashed === true ? 'is-dashed' : ''}">${label} <b>
      ${wordOf(data[i + 1]?.at(-1), format)}</b></span>`)}</span></figcaption>
    <div ref=${host} role="img" aria-label="${title}, the last two minutes. Now: ${last}"></div></figure>`
}

const wordOf = (value: number | null | undefined, format: (value: number) => string): string =>
  (value === null || value === undefined ? '–' : format(value))

interface Making extends Pick<PlotProps, 'title' | 'lines' | 'format'> {
  readonly element: HTMLElement
}

const optionsOf = ({ lines, format, element }: Making): uPlot.Options => {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  const axis: uPlot.Axis = {
    stroke: colour('faint'), font: '11px system-ui, sans-serif', ticks: { show: false }, grid: { stroke: colour('hair'), width: 1 },
  }
  return {
    width: element.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { show: false }, padding: [8, 28, 0, 0],
    scales: { x: { time: true }, y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      { ...axis, grid: { show: false }, size: 22, space: 80, values: (_plot, values) => values.map(minuteOf) },
      { ...axis, size: 52, space: 34, incrs: STEPS, values: (_plot, values) => values.map(format) },
    ],
    series: [{}, ...lines.map(({ label, colour: name, isDashed }): uPlot.Series => ({
      label, stroke: colour(name), width: 1.5, points: { show: false }, spanGaps: true, ...(isDashed === true ? { dash: [4, 3] } : {}),
    }))],
  }
}

const minuteOf = (seconds: number): string => {
  const date = new Date(seconds * 1_000)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':')
}
