/**
 * Leaderships that move by plan, on real nodes under a steady stream of plain requests: nobody is left without an answer, whatever becomes
 * of the move. An answer is a `Kv-Status`, or the broker's word that nobody received the request.
 */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { nodeOf } from '../../topology/ids.ts'
import { tellStory } from './story.ts'
import type { SimOptions } from '../../sim/options.ts'
import type { Machine } from '../../sim/cluster.ts'
import type { HostedReplica } from '../../topology/replicaHost.ts'
import type { Answer, Pending, Story } from './story.ts'

const EVERY_MS = 3
/** Above a request's timeout. */
const SETTLED_MS = 3_000

const replicaOf = ({ node }: Machine): HostedReplica | undefined => node?.parts()?.host.all()[0]
const stateOf = (machine: Machine): string => replicaOf(machine)?.actor.state() ?? ''
const isServing = (machine: Machine): boolean => stateOf(machine) === 'leading.serving'
const isLeadElsewhere = (story: Story, old: Machine) => (): boolean => story.nodes.some((machine) => machine !== old && isServing(machine))

const machineOf = (story: Story, id: string): Machine => must(story.nodes.find((machine) => machine.id === id), id)
const preferredOf = (story: Story): Machine =>
  machineOf(story, nodeOf(must(story.simulation.cluster.genesis[0]?.replicas[0]?.[0], 'a first replica')))

interface Stream {
  readonly runUntil: (what: string, isTrue: () => boolean, withinMs?: number) => void
  readonly run: (ms: number) => void
  /** How many requests ended in which way, once all have. */
  readonly statuses: () => Readonly<Record<string, number>>
  readonly answers: () => readonly Answer[]
}

/** Reads and writes in turn, one every few milliseconds, whether the last was answered or not. */
const startStream = (story: Story, op = 'incr'): Stream => {
  const sent: Pending[] = []
  const step = (): void => {
    sent.push(sent.length % 2 === 0 ? story.send(op, 'n', '1') : story.send('get', 'n'))
    story.run(EVERY_MS)
  }
  const answers = (): readonly Answer[] => {
    story.run(SETTLED_MS)
    return sent.map((pending) => must(pending.answer(), 'every request has ended'))
  }
  return {
    run: (ms) => {
      const until = story.simulation.timeline.now() + ms
      while (story.simulation.timeline.now() < until) step()
    },
    runUntil: (what, isTrue, withinMs = 30_000) => {
      const deadline = story.simulation.timeline.now() + withinMs
      while (!isTrue()) {
        if (story.simulation.timeline.now() > deadline) throw new Error(`${what}: not within ${withinMs} virtual milliseconds`)
        step()
      }
    },
    answers,
    statuses: () => {
      const counts: Record<string, number> = {}
      for (const { status } of answers()) counts[status] = (counts[status] ?? 0) + 1
      return counts
    },
  }
}

/** A story in which the shard is led by another node than the preferred one, which is steady, so that a move is due. */
const tellOfBalance = (seed: number, options: Partial<SimOptions> = {}): { story: Story; old: Machine } => {
  const story = tellStory(seed, options)
  const preferred = preferredOf(story)
  story.insist('put', 'n', '0')
  story.until('the preferred node leads', () => isServing(preferred))
  story.simulation.cluster.kill(preferred)
  const old = story.leader()
  story.simulation.cluster.start(preferred)
  return { story, old }
}

const isEveryoneAnswered = (statuses: Readonly<Record<string, number>>): void => {
  expect(Object.keys(statuses).filter((status) => status !== 'OK' && status !== 'noResponders')).toEqual([])
  expect(statuses['OK']).toBeGreaterThan(10)
}

describe('a leadership that moves to its preferred node', () => {
  test.each([
    [1, {}], [2, { disk: { syncMsMean: 10, keep: 0, capacityBytes: Number.MAX_SAFE_INTEGER } }],
    [3, { network: { loss: 0, duplication: 0, delayMsMean: 20, reorderMsMax: 0 } }],
  ])('leaves no plain request without an answer, and counts each once (seed %i)', (seed, options) => {
    const { story, old } = tellOfBalance(seed, options)
    const stream = startStream(story)
    const before = Number(story.insist('get', 'n').value)
    stream.runUntil('the leadership moves', isLeadElsewhere(story, old))
    stream.run(200)
    const statuses = stream.statuses()
    isEveryoneAnswered(statuses)
    const increments = stream.answers().filter(({ status, value }, i) => i % 2 === 0 && status === 'OK' && value !== '').length
    expect(Number(story.insist('get', 'n').value) - before).toBe(increments)
    story.end()
  })

  test('serves again when its successor does not take over, and moves later', () => {
    const { story, old } = tellOfBalance(4)
    const { network } = story.simulation
    const stream = startStream(story)
    const preferred = preferredOf(story)
    stream.runUntil('the move begins', () => stateOf(old).startsWith('leading.handingOver'))
    network.clog((from, to) => from === old.id && to === preferred.id, story.simulation.timeline.now() + 1_500)
    stream.runUntil('it waits for its successor', () => stateOf(old) === 'leading.handingOver.quiet')
    stream.runUntil('it serves again', () => isServing(old), 1_500)
    stream.runUntil('the leadership moves', () => isServing(preferred))
    isEveryoneAnswered(stream.statuses())
    story.end()
  })
})

describe('a node that drains', () => {
  test.each([1, 2, 3])('leaves no plain request without an answer (seed %i)', (seed) => {
    const story = tellStory(seed)
    story.insist('put', 'n', '0')
    story.run(5_000)
    const old = story.leader()
    const stream = startStream(story)
    stream.run(50)
    old.mayExit = 'drain'
    old.node?.drain()
    stream.runUntil('another leads', isLeadElsewhere(story, old))
    stream.run(200)
    isEveryoneAnswered(stream.statuses())
    story.end()
  })

  test('answers what it has taken when nobody is there to succeed it', () => {
    const story = tellStory(5, { nodes: 1, replicationFactor: 1, disk: { syncMsMean: 20, keep: 0, capacityBytes: Number.MAX_SAFE_INTEGER } })
    story.insist('put', 'n', '0')
    const only = story.leader()
    const stream = startStream(story)
    stream.run(100)
    only.mayExit = 'drain'
    only.node?.drain()
    stream.runUntil('it has ended', () => only.node === null || only.node.state() !== 'draining', 3_000)
    isEveryoneAnswered(stream.statuses())
    story.end()
  })

  test('forwards and answers what came in by the gateway subjects, of a broker without the mapping', () => {
    const story = tellStory(6, { isMapped: false })
    story.insist('put', 'n', '0')
    story.run(5_000)
    const leaving = must(story.followers()[0], 'a follower')
    const stream = startStream(story)
    stream.run(50)
    leaving.mayExit = 'drain'
    leaving.node?.drain()
    stream.runUntil('it has ended', () => leaving.node === null || leaving.node.state() !== 'draining', 3_000)
    stream.run(200)
    isEveryoneAnswered(stream.statuses())
    story.end()
  })
})

test('a leader that is stopped while it hands over executes nothing of what waits for it', () => {
  const { story, old } = tellOfBalance(7)
  const { cluster } = story.simulation
  const stream = startStream(story)
  stream.runUntil('the move begins', () => stateOf(old) === 'leading.handingOver.draining')
  cluster.pause(old)
  const backlog = Array.from({ length: 5 }, () => story.send('incr', 'n'))
  stream.runUntil('another leads', isLeadElsewhere(story, old))
  story.run(SETTLED_MS)
  const before = Number(story.insist('get', 'n').value)
  cluster.resume(old)
  story.run(SETTLED_MS)
  expect(Number(story.insist('get', 'n').value)).toBe(before)
  expect(backlog.map((pending) => pending.answer()?.status)).toEqual(Array.from({ length: 5 }, () => 'noResponders'))
  story.end()
})
