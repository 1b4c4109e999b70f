/** `shardkv top`: what is made of two rounds of reports, how it fits a terminal, and the keys. */

import { describe, expect, test } from '@jest/globals'
import pc from 'picocolors'
import { drawFrame, scrollMax } from '../../cli/top/draw.ts'
import { frameOf } from '../../cli/top/frame.ts'
import { must } from '../../actors/kernel/assert.ts'
import { until } from '../support/until.ts'
import { fakeCluster, fakeTerminal } from './fakes.ts'
import { replica, report } from './reports.ts'
import type { CliTerminal } from '../../cli/io.ts'
import type { Frame } from '../../cli/top/frame.ts'
import type { NodeReport } from '../../topology/report.ts'

const plain = pc.createColors(false)
const ESCAPE = '\u001b'

/** A node that has done so much on shard 0 since it started, n1 as its leader; bucket 40 is about 130 µs, bucket 62 about 900 µs. */
const busy = (id: string, done: { reads: number; writes: number; cpuMs: number; boot?: string }): NodeReport => {
  const leads = id === 'n1'
  const base = report(id, [
    replica(0, {
      role: leads ? 'leader' : 'follower', waiting: leads ? 5 : 0, commitIndex: 10,
      ...(leads ? { matchIndex: { 'n1:1': 10, 'n2:1': 7, 'n3:1': 10 } } : {}),
      load: { reads: done.reads, writes: done.writes, readMicros: [40, done.reads], writeMicros: [62, done.writes] },
    }),
    replica(1),
  ])
  const vitals = {
    cpuMs: done.cpuMs, rssBytes: 100 * 1_024 * 1_024, loopDelayMs: { p99: 2, max: 9 }, syncMicros: [60, done.writes], disk: null,
  }
  const boot = done.boot === undefined ? {} : { bootId: done.boot }
  return { ...base, node: { ...base.node, ...boot, walBacklogBytes: 2_048, vitals } } as unknown as NodeReport
}

const frame = (before: readonly NodeReport[], after: readonly NodeReport[], seconds = 2): Frame =>
  must(frameOf(before, after, seconds), 'a frame')

const pair = (): Frame => frame(
  ['n1', 'n2', 'n3'].map((id) => busy(id, { reads: 100, writes: 10, cpuMs: 1_000 })),
  [busy('n1', { reads: 300, writes: 30, cpuMs: 1_500 }), ...['n2', 'n3'].map((id) => busy(id, { reads: 100, writes: 10, cpuMs: 1_020 }))],
)

describe('a frame', () => {
  test('is what happened between two reports: rates, latencies, queues, lag', () => {
    const { reads, writes, shards, nodes } = pair()
    expect([reads.perSecond, writes.perSecond]).toEqual([100, 10])
    expect(shards[0]).toMatchObject({ leader: 'n1', waiting: 5, lagEntries: 3, reads: { perSecond: 100 }, writes: { perSecond: 10 } })
    expect(shards[1]).toMatchObject({ leader: null, reads: { perSecond: 0, p50Ms: null }, lagEntries: null })
    expect(must(shards[0], 'a shard').writes.p99Ms).toBeGreaterThan(must(shards[0]?.reads.p99Ms, 'a latency'))
    expect(nodes[0]).toMatchObject({ id: 'n1', leads: 1, cpuPercent: 25, walBacklogBytes: 2_048, reads: { perSecond: 100 } })
    expect(nodes[1]).toMatchObject({ id: 'n2', cpuPercent: 1, reads: { perSecond: 0 }, syncP99Ms: null })
  })

  test('knows nothing of what a process did before it was first seen', () => {
    const earlier = busy('n1', { reads: 900, writes: 90, cpuMs: 9_000 })
    const restarted = frame([earlier], [busy('n1', { reads: 4, writes: 2, cpuMs: 50, boot: 'new' })])
    expect([restarted.reads.perSecond, restarted.nodes[0]?.cpuPercent]).toEqual([0, null])
  })

  test('makes no rates of answers that leave the loads out, and says so', () => {
    const earlier = busy('n1', { reads: 900, writes: 90, cpuMs: 9_000 })
    const cut = { ...earlier, replicas: earlier.replicas.map(({ load: _load, ...rest }) => rest), shortened: { replicas: 0 } }
    const view = { columns: 120, rows: 24, scroll: 0, isSortedByLoad: false, hasFooter: false }
    for (const [before, after, isShortened] of [[earlier, cut, true], [cut, earlier, false], [cut, cut, true]] as const) {
      const one = frame([before], [after])
      expect([one.reads.perSecond, one.isShortened]).toEqual([0, isShortened])
      expect(drawFrame(one, view, plain)[0]?.includes('max_payload')).toBe(isShortened)
    }
  })

  test('shows members that are silent', () => {
    const { nodes } = frame([], [busy('n1', { reads: 0, writes: 0, cpuMs: 0 })])
    expect(nodes[2]).toMatchObject({ id: 'n3', state: 'unreachable', rssBytes: null })
  })

  test('of nobody is none', () => {
    expect(frameOf([], [], 1)).toBeNull()
  })
})

describe('drawn', () => {
  const wide = (shards: number): Frame => {
    const one = pair()
    return { ...one, shards: Array.from({ length: shards }, (_, id) => ({ ...must(one.shards[0], 'a shard'), id })) }
  }

  test('three nodes and sixteen shards fit 80 by 24 whole', () => {
    const lines = drawFrame(wide(16), { columns: 80, rows: 24, scroll: 0, isSortedByLoad: false, hasFooter: true }, plain)
    expect(lines.length).toBeLessThanOrEqual(24)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(lines.filter((line) => /^\d+ +n1/.test(line))).toHaveLength(16)
    expect(lines.find((line) => line.startsWith('NODE'))).toContain('BACKLOG')
    expect(lines.at(-1)).toContain('q: quit')
  })

  test('more shards scroll, to the last and no further', () => {
    const view = { columns: 80, rows: 24, scroll: 1_000, isSortedByLoad: false, hasFooter: true }
    const lines = drawFrame(wide(64), view, plain)
    expect(lines.length).toBe(24)
    expect(lines.at(-2)).toMatch(/^63 /)
    expect(lines.at(-1)).toContain('of 64')
    expect(scrollMax(wide(64), view)).toBe(64 - 16)
  })

  test('the busiest shards come first when asked', () => {
    const one = pair()
    const shards = [must(one.shards[1], 'an idle shard'), { ...must(one.shards[0], 'a busy shard'), id: 7 }]
    const lines = drawFrame({ ...one, shards }, { columns: 80, rows: 24, scroll: 0, isSortedByLoad: true, hasFooter: true }, plain)
    expect(lines.findIndex((line) => line.startsWith('7 '))).toBeLessThan(lines.findIndex((line) => line.startsWith('1 ')))
  })

  test('a colored line is cut by what is seen of it, and its color ends', () => {
    const view = { columns: 20, rows: 24, scroll: 0, isSortedByLoad: false, hasFooter: true }
    const colored = drawFrame(wide(2), view, pc.createColors(true))
    for (const line of colored) {
      expect(line.replaceAll(new RegExp(`${ESCAPE}\\[\\d+m`, 'g'), '').length).toBeLessThanOrEqual(20)
      if (line.includes(ESCAPE)) expect(line).toMatch(new RegExp(`${ESCAPE}\\[\\d+m$`))
    }
  })
})

describe('the command', () => {
  const reports = ['n1', 'n2', 'n3'].map((id) => busy(id, { reads: 1, writes: 1, cpuMs: 1 }))

  test('--once prints one frame, in every format', async () => {
    const terminal = fakeTerminal(fakeCluster(() => 'timeout', reports))
    const run = (format: string) => terminal.run('top', '--once', '--interval', '200', '-w', format)
    expect(JSON.parse((await run('json')).out)).toMatchObject({ shards: [{ id: 0, leader: 'n1' }, { id: 1, leader: null }] })
    expect((await run('raw')).out).toBe('0\tn1\t3\t0.0\t0.0\t5\t3\n1\t-\t3\t0.0\t0.0\t0\t?\n')
    expect((await run('table')).out).not.toContain(ESCAPE)
  })

  test('-w json is a stream of frames until Ctrl-C', async () => {
    const frames: string[] = []
    const terminal = fakeTerminal(fakeCluster(() => 'timeout', reports), { print: async (data) => { frames.push(String(data)) } })
    const ended = terminal.run('top', '-w', 'json', '--interval', '200')
    await until(() => frames.length >= 2, 'two frames came')
    terminal.interrupt()
    expect((await ended).code).toBe(0)
  })

  test('without a node is exit code 4', async () => {
    expect(await fakeTerminal(fakeCluster(() => 'timeout')).run('top', '--once', '--interval', '200')).toMatchObject({ code: 4, out: '' })
  })

  const atKeyboard = () => {
    let press: (key: string) => void = () => {}
    let isReleased = false
    let screen = ''
    const keyboard: CliTerminal = {
      size: () => ({ columns: 80, rows: 10 }),
      onKey: (handler) => {
        press = handler
        return () => { isReleased = true }
      },
      onResize: () => () => {},
    }
    const many = reports.map((one) => ({ ...one, shardCount: 16 }))
    const terminal = fakeTerminal(fakeCluster(() => 'timeout', many), {
      isOutputTty: true, terminal: keyboard, env: { NO_COLOR: '1' },
      print: async (data) => { screen += String(data) },
    })
    const ended = terminal.run('top', '--interval', '200')
    const shows = (text: string): Promise<void> => until(() => screen.includes(text), `the screen shows ${text}`)
    return { press: (key: string) => press(key), ended, shows, screen: () => screen, isReleased: () => isReleased }
  }

  test('on a terminal draws in place, scrolls, sorts, and gives the screen back on q', async () => {
    const { press, ended, shows, screen, isReleased } = atKeyboard()
    await shows('shards 1-2 of 16')
    press('j')
    await shows('shards 2-3 of 16')
    press(`${ESCAPE}[6~`)
    await shows('shards 12-13 of 16')
    press('s')
    await shows('s: by number')
    press('x')
    press('q')
    expect((await ended).code).toBe(0)
    expect(screen().startsWith(`${ESCAPE}[?1049h`)).toBe(true)
    expect(screen().endsWith(`${ESCAPE}[?1049l`)).toBe(true)
    expect(isReleased()).toBe(true)
    // Every frame begins where the one before did, fits the ten lines, and is never wiped first: that would flicker.
    const frames = screen().split(`${ESCAPE}[H`).slice(1)
    expect(frames.length).toBeGreaterThan(4)
    for (const one of frames) expect(one.split('\r\n').length).toBeLessThanOrEqual(10)
    expect(screen()).not.toContain(`${ESCAPE}[2J`)
    for (const head of ['READS/s', 'WRITES/s', 'p50 ms', 'p99 ms', 'WAIT', 'LAG', 'BACKLOG']) expect(screen()).toContain(head)
  })
})
