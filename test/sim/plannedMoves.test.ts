/**
 * Leaderships that move by plan, on real nodes under a steady stream of plain requests: nobody is left without an answer, whatever becomes
 * of the move. An answer is a `Kv-Status`, or the broker's word that nobody received the request.
 */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { nodeOf } from '../../topology/ids.ts'
import { doorsOf } from '../../sim/network.ts'
import { calmDisk } from '../../sim/options.ts'
import { tellStory } from './story.ts'
import type { SimOptions } from '../../sim/options.ts'
import type { Machine } from '../../sim/cluster.ts'
import type { HostedReplica } from '../../topology/hostedReplica.ts'
import type { Answer, Pending, Story } from './story.ts'

const EVERY_MS = 4
/** A node is not steady before it has been heard for so long, so no move begins. */
const UNSTEADY_MS = 2_900
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
const startStream = (story: Story, op: 'incr' | 'get' = 'incr'): Stream => {
  const sent: Pending[] = []
  const step = (): void => {
    sent.push(sent.length % 2 === 0 && op === 'incr' ? story.send('incr', 'n', '1') : story.send('get', 'n'))
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

/** A story in which the shard is led by another node than the preferred one, which will soon be steady: a move is about to begin. */
const tellOfBalance = (seed: number, options: Partial<SimOptions> = {}): { story: Story; old: Machine } => {
  const story = tellStory(seed, options)
  story.isolate(preferredOf(story))
  const old = story.leader()
  story.insist('put', 'n', '0')
  story.heal()
  story.run(UNSTEADY_MS)
  return { story, old }
}

const isEveryoneAnswered = (statuses: Readonly<Record<string, number>>): void => {
  expect(Object.keys(statuses).filter((status) => status !== 'OK' && status !== 'noResponders')).toEqual([])
  expect(statuses['OK']).toBeGreaterThan(10)
}

describe('a leadership that moves to its preferred node', () => {
  test.each([
    [1, {}], [2, { disk: { ...calmDisk, syncMsMean: 10 } }],
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

  test.each([
    // Reads alone: the successor has the whole log, is told to campaign, and does not.
    ['Raft aborts the transfer to a successor that sleeps', 'get',
      { network: { loss: 0, duplication: 0, delayMsMean: 20, reorderMsMax: 0 } }],
    // The last writes never reach the successor: it is not asked.
    ['its successor does not get the last writes', 'incr',
      { disk: { ...calmDisk, syncMsMean: 20 } }],
  ] as const)('is served again when %s, and moves later', (_why, op, options) => {
    const { story, old } = tellOfBalance(4, options)
    const { cluster } = story.simulation
    const preferred = preferredOf(story)
    const stream = startStream(story, op)
    stream.runUntil('the move begins', () => stateOf(old) === 'leading.handingOver.finishing')
    cluster.pause(preferred)
    stream.runUntil('it waits for its successor', () => stateOf(old) === 'leading.handingOver.quiet')
    stream.runUntil('it serves again', () => isServing(old), 1_500)
    stream.run(100)
    isEveryoneAnswered(stream.statuses())
    cluster.resume(preferred)
    story.until('the leadership moves', () => isServing(preferred))
    expect(story.request('get', 'n')).toMatchObject({ status: 'OK' })
    story.end()
  })
})

test('a move that is given up while the slot is drained costs nobody an answer, however late what was sent before it comes', () => {
  const { story, old } = tellOfBalance(10)
  const { network, timeline } = story.simulation
  const heldUpUntil = timeline.now() + 3_500
  network.clog((from, to) => from.startsWith('c') && to === doorsOf(old.id), heldUpUntil)
  const early = Array.from({ length: 5 }, () => story.send('incr', 'n', '1'))
  story.until('the move begins', () => stateOf(old) === 'leading.handingOver.draining')
  story.until('it is given up', () => isServing(old), 1_200)
  network.heal()
  story.until('what was sent early has come', () => timeline.now() > heldUpUntil + 100)
  expect(story.insist('incr', 'n', '1').value).toBe('6')
  expect(early.map((pending) => pending.answer()?.status)).not.toContain('noResponders')
  story.end()
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
    const disk = { ...calmDisk, syncMsMean: 20 }
    const story = tellStory(5, { nodes: 1, replicationFactor: 1, disk })
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
  const { cluster, network, timeline } = story.simulation
  const before = Number(story.insist('get', 'n').value)
  // What the broker has sent by then is still on its way when the slot is drained.
  network.clog((from, to) => from.startsWith('c') && to === doorsOf(old.id), timeline.now() + 4_000)
  const backlog = Array.from({ length: 5 }, () => story.send('incr', 'n', '1'))
  story.until('the move begins', () => stateOf(old) === 'leading.handingOver.draining')
  cluster.pause(old)
  const late = story.send('incr', 'n', '1')
  story.until('another leads', isLeadElsewhere(story, old))
  story.run(4_000)
  cluster.resume(old)
  story.run(SETTLED_MS)
  expect(Number(story.insist('get', 'n').value)).toBe(before)
  expect(late.answer()).toMatchObject({ status: 'noResponders', definite: true })
  expect(backlog.map((pending) => pending.answer()?.status)).toEqual(Array.from({ length: 5 }, () => 'timeout'))
  story.end()
})

describe('a leader whose own disk is full', () => {
  const BIG = 'x'.repeat(4_000)
  /** Writes until all of them have noticed. */
  const fillUp = (story: Story, machines: readonly Machine[]): void => {
    for (const { disk } of machines) disk.fill(0)
    let sent = 0
    story.until('the log says that its disk is full', () => {
      sent += 1
      if (sent % 4 === 0) story.send('put', 'big', `${BIG}${sent}`)
      return machines.every(({ node }) => node?.report().node.diskFull === true)
    })
  }

  test('hands over to a node with room, and leads again some time after it has room', () => {
    const story = tellStory(8)
    const full = preferredOf(story)
    story.insist('put', 'n', '0')
    story.until('the preferred node leads', () => isServing(full))
    story.run(5_000)
    fillUp(story, [full])
    const reads = startStream(story, 'get')
    reads.runUntil('another leads', isLeadElsewhere(story, full), 5_000)
    // A write that the full disk took and can not keep stands before every read until another leads (docs/GUARANTEES.md).
    expect(Object.keys(reads.statuses()).filter((status) => !['OK', 'noResponders', 'timeout'].includes(status))).toEqual([])
    expect(story.insist('put', 'k', 'written').status).toBe('OK')
    story.run(30_000)
    expect(isServing(full)).toBe(false)
    expect(story.request('put', 'k', 'still written')).toMatchObject({ status: 'OK' })
    const seen: string[] = []
    full.disk.makeRoom()
    const since = story.simulation.timeline.now()
    story.until('it leads again', () => {
      const leader = story.nodes.find(isServing)?.id ?? ''
      if (leader !== '' && seen.at(-1) !== leader) seen.push(leader)
      return isServing(full)
    })
    expect(story.simulation.timeline.now() - since).toBeGreaterThan(10_000)
    expect(seen).toHaveLength(2)
    expect(story.request('put', 'k', 'again')).toMatchObject({ status: 'OK' })
    story.end()
  })

  test('keeps its leadership when every disk is full', () => {
    const story = tellStory(9)
    story.insist('put', 'n', '0')
    story.run(5_000)
    fillUp(story, story.nodes)
    story.run(5_000)
    const leader = story.leader()
    const term = replicaOf(leader)?.raft.status().term
    story.run(30_000)
    expect([story.leader().id, replicaOf(leader)?.raft.status().term]).toEqual([leader.id, term])
    expect(story.request('put', 'k', BIG).status).toBe('NO_SPACE')
    expect(story.request('get', 'n')).toMatchObject({ status: 'OK' })
    for (const { disk } of story.nodes) disk.makeRoom()
    story.end()
  })
})
