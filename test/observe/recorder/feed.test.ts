/** The feed between nodes: what a watcher gets, what it costs when nobody watches, and who is not heard. */

import { describe, expect, test } from '@jest/globals'
import { silentLogger } from '../../../actors/kernel/log.ts'
import { must } from '../../../actors/kernel/assert.ts'
import { traceQuestionSubject, traceSubject } from '../../../bus/subjects.ts'
import { FEED_RECORDS_MAX } from '../../../observe/recorder/feed.ts'
import { gapsIn } from '../../../observe/recorder/gaps.ts'
import { createObservation } from '../../../observe/recorder/observation.ts'
import { RING_BYTES_MAX, createNodeRecorder } from '../../../observe/recorder/recorder.ts'
import { WATCHERS_MAX, WATCHER_RECORDS_MAX } from '../../../observe/recorder/watchers.ts'
import { decodePage, encodeJson } from '../../../observe/recorder/wire.ts'
import { clusterId, nodeId } from '../../../topology/ids.ts'
import { createVirtualWorld } from '../../support/virtual.ts'
import type { NodeId } from '../../../topology/ids.ts'
import type { ActorRecord } from '../../../observe/recorder/record.ts'
import type { RecordPage } from '../../../observe/recorder/wire.ts'

const cluster = clusterId('0123456789abcdef')
const members = ['n1', 'n2'].map(nodeId)
const everything = { detail: false }

const open = (maxPayloadBytes = 1_048_576, ringBytesMax = RING_BYTES_MAX) => {
  const { clock, broker, pass } = createVirtualWorld({ maxPayloadBytes })
  const start = (self: NodeId) => {
    const recorder = createNodeRecorder({ node: self, clock, ringBytesMax })
    const observation = createObservation({
      bus: broker.connect({ name: self }), clock, log: silentLogger, cluster, self, inboxPrefix: '_INBOX.', recorder,
      members: () => members,
      actors: () => ({ node: self, at: clock.wall(), actors: [], operations: [] }), requests: () => [],
      probe: (_request, done) => done(null),
    })
    return { recorder, observation }
  }
  const nodes = members.map(start)
  const [here, there] = [must(nodes[0], 'n1'), must(nodes[1], 'n2')]
  const stranger = broker.connect({ name: 'stranger' })
  const spied: string[] = []
  stranger.subscribe('skv.>', ({ subject }) => spied.push(subject))
  const frames = (): number => spied.filter((subject) => subject === traceSubject(cluster, members[1] as never)).length
  return { clock, pass, here, there, stranger, frames, restart: () => start(nodeId('n2')) }
}

const note = (event: string, more: Partial<ActorRecord> = {}) => ({ actor: 'raft/7', kind: 'note' as const, event, ...more })
const events = (records: readonly ActorRecord[]): string[] => records.map(({ node, event }) => `${node} ${event}`)

describe('a watcher', () => {
  test('sees both nodes, each in its order, and nothing from before it came', () => {
    const { here, there, pass } = open()
    there.recorder.record(note('too early'))
    const watcher = must(here.observation.watch(everything), 'there is room')
    pass(10)
    for (let i = 0; i < 3; i += 1) {
      here.recorder.record(note(`a${i}`))
      there.recorder.record(note(`b${i}`))
    }
    pass(200)
    const { records, lost } = watcher.take(100)
    expect(events(records.filter(({ node }) => node === 'n1'))).toEqual(['n1 a0', 'n1 a1', 'n1 a2'])
    expect(events(records.filter(({ node }) => node === 'n2'))).toEqual(['n2 b0', 'n2 b1', 'n2 b2'])
    expect(lost.size).toBe(0)
  })

  test.each<readonly [string, object, readonly string[]]>([
    ['a node', { nodes: ['n1'] }, ['n1 x']],
    ['an actor', { actors: ['shard/7'] }, ['n2 z']],
    ['a kind of actor', { actors: ['raft'] }, ['n1 x', 'n2 y']],
    ['kinds', { kinds: ['phase', 'state'] }, ['n2 z']],
    ['a shard', { shard: 3 }, ['n2 y']],
    ['a trace', { trace: 'f'.repeat(32) }, ['n2 z']],
    ['two conditions at once', { nodes: ['n2'], actors: ['raft'] }, ['n2 y']],
  ])('that asks for %s sees no more', (_, filter, expected) => {
    const { here, there, pass } = open()
    const watcher = must(here.observation.watch({ ...everything, ...filter }), 'there is room')
    pass(10)
    here.recorder.record(note('x'))
    there.recorder.record(note('y', { shard: 3 }))
    there.recorder.record({ actor: 'shard/7', kind: 'phase', event: 'z', trace: 'f'.repeat(32) })
    pass(200)
    expect(events(watcher.take(100).records)).toEqual(expected)
  })

  test('that takes nothing loses what comes after its limit, is told how much, and disturbs no other', () => {
    const { here, pass } = open()
    const slow = must(here.observation.watch(everything), 'there is room')
    const quick = must(here.observation.watch(everything), 'there is room')
    let seen = 0
    for (let i = 0; i < WATCHER_RECORDS_MAX + 50; i += 1) {
      here.recorder.record(note(`e${i}`))
      if (i % 1_000 === 0) seen += quick.take(5_000).records.length
    }
    pass(200)
    seen += quick.take(20_000).records.length
    expect(seen).toBe(WATCHER_RECORDS_MAX + 50)
    const { records, lost } = slow.take(20_000)
    expect(records.length).toBe(WATCHER_RECORDS_MAX)
    expect([...lost]).toEqual([['n1', 50]])
    expect(slow.take(1).lost.size).toBe(0)
  })

  test('is told of what another node could not send', () => {
    const { here, there, pass } = open()
    const watcher = must(here.observation.watch(everything), 'there is room')
    pass(10)
    there.recorder.record(note('first'))
    pass(200)
    for (let i = 0; i < FEED_RECORDS_MAX + 7; i += 1) there.recorder.record(note('burst'))
    pass(200)
    there.recorder.record(note('last'))
    pass(200)
    const { records, lost } = watcher.take(20_000)
    expect(records.length).toBe(FEED_RECORDS_MAX + 2)
    expect([...lost]).toEqual([['n2', 7]])
  })

  test('above the limit is refused until another has gone', () => {
    const { here } = open()
    const watchers = Array.from({ length: WATCHERS_MAX }, () => must(here.observation.watch(everything), 'there is room'))
    expect(here.observation.watch(everything)).toBeNull()
    watchers[0]?.close()
    expect(here.observation.watch(everything)).not.toBeNull()
  })
})

describe('while nobody watches', () => {
  test('nothing is sent, and soon after the last has gone nothing is sent any more', () => {
    const { here, there, pass, frames } = open()
    there.recorder.record(note('unseen'))
    pass(1_000)
    expect(frames()).toBe(0)
    const watcher = must(here.observation.watch(everything), 'there is room')
    pass(10)
    there.recorder.record(note('seen'))
    pass(200)
    expect(frames()).toBe(1)
    expect(there.recorder.figures().listeners).toBe(1)
    watcher.close()
    expect(here.recorder.figures().listeners).toBe(0)
    pass(6_000)
    expect(there.recorder.figures().listeners).toBe(0)
    there.recorder.record(note('unseen'))
    pass(1_000)
    expect(frames()).toBe(1)
  })

  test('no message is wanted: detail is on as long as somebody asks for it, on every node', () => {
    const { here, there, pass } = open()
    const detailed = (): boolean[] => [here.recorder.isDetailed(), there.recorder.isDetailed()]
    const plain = must(here.observation.watch(everything), 'there is room')
    pass(2_000)
    expect(detailed()).toEqual([false, false])
    const curious = must(here.observation.watch({ detail: true }), 'there is room')
    pass(2_000)
    expect(detailed()).toEqual([true, true])
    curious.close()
    pass(7_000)
    expect(detailed()).toEqual([false, false])
    plain.close()
  })
})

describe('what comes from outside', () => {
  test('under a name that is no member\'s is not answered', () => {
    const { stranger, pass, there, clock } = open()
    const ask = (from: string, question: unknown): unknown[] => {
      const answers: unknown[] = []
      stranger.request(traceQuestionSubject(cluster, members[1] as never, nodeId(from)), encodeJson(question), { timeoutMs: 500 },
        (_failure, answer) => answers.push(answer?.data))
      pass(1_000)
      return answers
    }
    expect(ask('n9', { kind: 'actors' })).toEqual([undefined])
    expect(ask('n1', { kind: 'everything' })).toEqual([undefined])
    expect(ask('n1', { kind: 'actors' })).not.toEqual([undefined])
    stranger.publish(traceQuestionSubject(cluster, members[1] as never, nodeId('n9')), encodeJson({ kind: 'watch', detail: true }))
    pass(500)
    expect(there.recorder.isDetailed()).toBe(false)
    expect(clock.now()).toBeGreaterThan(0)
  })

  test('under a name that is no member\'s is not heard', () => {
    const { here, stranger, pass } = open()
    const watcher = must(here.observation.watch(everything), 'there is room')
    stranger.publish(traceSubject(cluster, nodeId('n9')), encodeJson({ records: [{ at: 1, seq: 1, node: 'n9', ...note('forged') }] }))
    pass(200)
    expect(watcher.take(10)).toEqual({ records: [], lost: new Map() })
  })

  test('and is no frame of its sender is not shown', () => {
    const { here, stranger, pass } = open()
    const watcher = must(here.observation.watch(everything), 'there is room')
    const forged = { at: 1, seq: 1, node: 'n1', ...note('forged') }
    stranger.publish(traceSubject(cluster, members[1] as never), encodeJson({ records: [forged] }))
    stranger.publish(traceSubject(cluster, members[1] as never), encodeJson({ records: [{ ...forged, node: 'n2', value: 'x' }] }))
    stranger.publish(traceSubject(cluster, members[1] as never), new TextEncoder().encode('{'))
    pass(200)
    expect(watcher.take(10).records).toEqual([])
  })
})

describe('a recording', () => {
  const collect = async (parts: Promise<{ readonly records: AsyncIterable<ActorRecord> }>, pass: (ms: number) => void) => {
    const records: ActorRecord[] = []
    const state = { isDone: false }
    const reading = (async () => {
      for await (const record of (await parts).records) records.push(record)
      state.isDone = true
    })()
    for (let turns = 0; !state.isDone && turns < 10_000; turns += 1) {
      pass(1)
      await new Promise((resolve) => { setImmediate(resolve) })
    }
    await reading
    return records
  }

  test('takes no stored value that a client has a node send for what another node recorded', async () => {
    const { here, there, stranger, pass } = open()
    there.observation.stop()
    stranger.subscribe(traceQuestionSubject(cluster, nodeId('n2'), nodeId('n1')), ({ reply }) => {
      stranger.publish(reply, encodeJson({ records: [], next: null }), { headers: new Map([['Kv-Status', 'OK']]) })
    })
    const asked = here.observation.recording({ from: 0, to: 1e15, trace: '' })
    pass(5_000)
    const { nodes, missing } = await asked
    expect([nodes, missing]).toEqual([['n1'], ['n2']])
  })

  test('holds both nodes by time, over a broker that takes little at once', async () => {
    const { here, there, pass } = open(65_536)
    for (let i = 0; i < 1_500; i += 1) {
      there.recorder.record(note(`b${i}`, { detail: { text: 'some words that take room' } }))
      if (i % 3 === 0) here.recorder.record(note(`a${i}`))
      pass(1)
    }
    const records = await collect(here.observation.recording({ from: 0, to: 1e15, trace: '' }), pass)
    expect(records.length).toBe(2_000)
    expect(records.every(({ at }, i) => at >= (records[i - 1]?.at ?? 0))).toBe(true)
    expect(records.filter(({ node }) => node === 'n2').map(({ seq }) => seq)).toEqual(Array.from({ length: 1_500 }, (_, i) => i + 1))
  })

  test('of one trace holds nothing else', async () => {
    const { here, there, pass } = open()
    const trace = 'a'.repeat(32)
    for (let i = 0; i < 50; i += 1) there.recorder.record(note(`b${i}`, i % 10 === 0 ? { trace } : {}))
    const records = await collect(here.observation.recording({ from: 0, to: 1e15, trace }), pass)
    expect(events(records)).toEqual(['n2 b0', 'n2 b10', 'n2 b20', 'n2 b30', 'n2 b40'])
  })

  test('of some kinds holds nothing else', async () => {
    const { here, there, pass } = open()
    there.recorder.record(note('b0'))
    there.recorder.record({ actor: 'raft/7', kind: 'state', event: 'leader' })
    there.recorder.record({ actor: 'wal', kind: 'batch', event: 'group' })
    const records = await collect(here.observation.recording({ from: 0, to: 1e15, trace: '', kinds: ['state', 'batch'] }), pass)
    expect(events(records)).toEqual(['n2 leader', 'n2 group'])
  })

  test('of a moment is found in steps of bounded length, however much lies before it', async () => {
    const { here, there, pass, stranger } = open()
    for (let i = 0; i < 30_000; i += 1) there.recorder.record({ actor: 'wal', kind: 'batch', event: 'before' })
    pass(60_000)
    there.recorder.record(note('then'))
    const at = must([...there.recorder.read({ after: 30_000 })][0], 'the last').at
    const pages: RecordPage[] = []
    stranger.request(traceQuestionSubject(cluster, members[1] as never, members[0] as never),
      encodeJson({ kind: 'page', after: 0, from: at, to: 1e15, trace: '' }), { timeoutMs: 500 },
      (_failure, answer) => { pages.push(must(decodePage(must(answer, 'an answer').data), 'a page')) })
    pass(500)
    const nothing = { story: null, traffic: null }
    expect(pages).toEqual([{ records: [], next: 20_000, begunAt: there.recorder.begunAt, newest: 30_001, overwritten: nothing }])
    const records = await collect(here.observation.recording({ from: at, to: 1e15, trace: '' }), pass)
    expect(events(records)).toEqual(['n2 then'])
  })

  test('says where the part of a node ends that stopped answering, whatever kinds are asked for', async () => {
    const { here, there, pass } = open()
    for (let i = 0; i < 5_000; i += 1) {
      there.recorder.record({ actor: 'wal', kind: 'batch', event: `b${i}` })
      pass(1)
    }
    here.recorder.record({ actor: 'wal', kind: 'batch', event: 'later' })
    const asked = here.observation.recording({ from: 0, to: 1e15, trace: '', kinds: ['batch'] })
    const stopping = asked.then((recording) => {
      there.observation.stop()
      return recording
    })
    const records = await collect(stopping, pass)
    const last = must(records.findLast(({ node, kind }) => node === 'n2' && kind === 'batch'), 'a record of n2')
    expect(last.seq).toBeLessThan(5_000)
    expect(records.filter(({ kind }) => kind === 'note')).toEqual([{
      at: last.at, seq: last.seq + 1, node: 'n2', actor: 'recorder', kind: 'note',
      event: 'stopped answering: what it recorded from here on is missing', detail: { records: last.seq },
    }])
    expect(gapsIn({ missing: ['n3'] }, records)).toEqual([
      'without n3, which did not answer', `n2 only until ${new Date(last.at).toISOString()}, since it stopped answering`,
    ])
    expect(events(records.slice(-1))).toEqual(['n1 later'])
  })

  test('says the same of a node that started anew meanwhile, and has forgotten the rest', async () => {
    const { here, there, pass, restart } = open()
    for (let i = 0; i < 5_000; i += 1) there.recorder.record(note(`b${i}`))
    pass(10)
    const restarting = here.observation.recording({ from: 0, to: 1e15, trace: '' }).then((recording) => {
      there.observation.stop()
      restart()
      return recording
    })
    const records = await collect(restarting, pass)
    expect(records.at(-1)).toMatchObject({ node: 'n2', actor: 'recorder', event: expect.stringContaining('stopped answering') })
  })

  /** Traffic of n2, a message a millisecond, of which its ring holds some three thousand; a page two thousand. */
  const message = { actor: 'raft/7', kind: 'receive', event: 'append' } as const
  const openBusy = (maxPayloadBytes = 1_048_576) => {
    const opened = open(maxPayloadBytes, 800_000)
    const traffic = (count: number): void => {
      for (let i = 0; i < count; i += 1) {
        opened.there.recorder.record(message)
        opened.pass(1)
      }
    }
    traffic(1_000)
    opened.there.recorder.record(note('a note'))
    traffic(2_000)
    return { ...opened, traffic }
  }
  const ofRecorder = (records: readonly ActorRecord[]): readonly ActorRecord[] => records.filter(({ actor }) => actor === 'recorder')

  test('says what was overwritten before it was read, from where to where, and what of', async () => {
    const { here, pass, traffic } = openBusy()
    const asked = here.observation.recording({ from: 0, to: 1e15, trace: '' }).then((recording) => {
      traffic(3_000)
      return recording
    })
    const records = await collect(asked, pass)
    const [loss] = ofRecorder(records)
    const place = records.indexOf(must(loss, 'a record of what is missing'))
    const [before, behind] = [must(records[place - 1], 'before it'), must(records[place + 1], 'behind it')]
    expect([before.seq, behind.seq > before.seq + 500]).toEqual([2_000, true])
    expect(ofRecorder(records)).toEqual([{
      at: before.at, seq: 2_001, node: 'n2', actor: 'recorder', kind: 'note',
      event: 'overwritten before it was read: batches, messages and phases are missing', detail: { ring: 'traffic', until: behind.at - 1 },
    }])
    expect(records.slice(place + 1).map(({ seq }) => seq)).toEqual(Array.from({ length: 3_001 - behind.seq + 1 }, (_, i) => behind.seq + i))
    const [since, until] = [before.at, behind.at - 1].map((at) => new Date(at).toISOString())
    expect(gapsIn({ missing: [] }, records)).toEqual([
      `without batches, messages and phases of n2 from ${since} to ${until}, which were overwritten before they were read`,
    ])
  })

  test('says so of each page that came too late, in one sentence', async () => {
    const { here, pass, traffic } = openBusy(65_536)
    /** While a page is looked at, the ring goes on. */
    async function* slowly(records: AsyncIterable<ActorRecord>): AsyncGenerator<ActorRecord, void> {
      let seen = 0
      for await (const record of records) {
        seen += 1
        if (seen === 1 || seen === 700) traffic(1_000)
        yield record
      }
    }
    const asked = here.observation.recording({ from: 0, to: 1e15, trace: '' }).then(({ records }) => ({ records: slowly(records) }))
    const losses = ofRecorder(await collect(asked, pass))
    expect(losses.length).toBe(2)
    const sentence = /^without batches, messages and phases of n2 in 2 places between \S+ and \S+, which were overwritten before/
    expect(gapsIn({ missing: [] }, losses)).toEqual([expect.stringMatching(sentence)])
  })

  test('ends at what was the newest record when it was asked for, however slowly it is read', async () => {
    const { here, there, pass } = open()
    const traffic = (count: number): void => {
      for (let i = 0; i < count; i += 1) there.recorder.record({ actor: 'wal', kind: 'batch', event: 'group' })
      pass(1)
    }
    /** For each record that is read two are made: the end of the ring is never reached. */
    async function* slowly(records: AsyncIterable<ActorRecord>): AsyncGenerator<ActorRecord, void> {
      let seen = 0
      for await (const record of records) {
        seen += 1
        if (seen > 10_000) throw new Error('it has no end')
        traffic(2)
        yield record
      }
    }
    traffic(2_500)
    const asked = here.observation.recording({ from: 0, to: 1e15, trace: '' }).then(({ records }) => ({ records: slowly(records) }))
    expect((await collect(asked, pass)).map(({ seq }) => seq)).toEqual(Array.from({ length: 2_500 }, (_, i) => i + 1))
  })

  test('says nothing of what was overwritten and nobody asked for', async () => {
    const { here, there, pass } = open(1_048_576, 3_000_000)
    const record = (count: number, what: Parameters<typeof there.recorder.record>[0]): void => {
      for (let i = 0; i < count; i += 1) there.recorder.record(what)
    }
    record(2_500, note('a note'))
    const asked = here.observation.recording({ from: 0, to: 1e15, trace: '', kinds: ['note'] }).then((recording) => {
      record(30_000, message)
      return recording
    })
    const records = await collect(asked, pass)
    expect([records.length, ofRecorder(records)]).toEqual([2_500, []])
  })

  test('says what is gone of the time that was asked for; one of all there is begins where each ring does', async () => {
    const { here, there, pass, traffic } = openBusy()
    const [first] = [...there.recorder.read({ after: 0 })]
    const from = must(first, 'a record').at + 500
    traffic(3_000)
    expect(ofRecorder(await collect(here.observation.recording({ from: 0, to: 1e15, trace: '' }), pass))).toEqual([])
    const records = await collect(here.observation.recording({ from, to: 1e15, trace: '' }), pass)
    expect(records[0]).toMatchObject({ at: from, seq: 1, actor: 'recorder', detail: { ring: 'traffic' } })
    expect(records[1]).toMatchObject({ node: 'n2', event: 'a note' })
    const oldest = must(records.find(({ kind }) => kind === 'receive'), 'traffic')
    expect(records[0]?.detail?.['until']).toBe(oldest.at - 1)
    expect(ofRecorder(records).length).toBe(1)
  })

  test('names those that do not answer', async () => {
    const { here, there, pass } = open()
    there.observation.stop()
    const asked = here.observation.recording({ from: 0, to: 1e15, trace: '' })
    pass(3_000)
    await expect(asked).resolves.toMatchObject({ nodes: ['n1'], missing: ['n2'] })
  })
})
