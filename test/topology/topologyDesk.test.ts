/** Two nodes on a bus ask each other about the map: states, proposals, orders; rubbish is counted and not answered. */

import { describe, expect, test } from '@jest/globals'
import { HISTORY_EVENTS_MAX, adoptGenesis } from '../../actors/topology/clusterState.ts'
import { apply } from '../../actors/topology/apply.ts'
import { decodeCommand, encodeState } from '../../actors/topology/codec.ts'
import { silentLogger } from '../../actors/kernel/log.ts'
import { must } from '../../actors/kernel/assert.ts'
import { decodeControl, encodeControl } from '../../bus/codec/control.ts'
import { genesisOf } from '../../storage/genesis.ts'
import { createGenesis } from '../../topology/clusterMap.ts'
import { createMapSync } from '../../topology/mapSync.ts'
import { createMetaQuestions } from '../../topology/metaQuestions.ts'
import { createMetaReads } from '../../topology/metaReads.ts'
import { createProposals } from '../../topology/proposals.ts'
import { createTopologyAnswers } from '../../topology/topologyAnswers.ts'
import { createTopologyDesk, topologyRequestOf } from '../../topology/topologyDesk.ts'
import { META_GROUP, clusterId, nodeId, replicaId } from '../../topology/ids.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { RaftMember } from '../../actors/raft/actor.ts'
import type { ConfigurationOrder, OrderOutcome } from '../../actors/raft/protocol.ts'
import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { MetaAnswer, MetaCommand, Outcome } from '../../actors/topology/protocol.ts'
import type { HostedMeta, MetaQuestion } from '../../topology/hostedMeta.ts'
import type { Overview } from '../../topology/metaReads.ts'
import type { Answer, TopologyRequest } from '../../topology/topologyDesk.ts'

const cluster = clusterId('0123456789abcdef')
const [n1, n2, n3] = ['n1', 'n2', 'n3'].map(nodeId) as [ReturnType<typeof nodeId>, ReturnType<typeof nodeId>, ReturnType<typeof nodeId>]
const genesis = must(createGenesis({ cluster, members: [n1, n2, n3], shardCount: 2, replicationFactor: 3, createdAtMs: 1 })[0], 'a genesis')
const born = adoptGenesis(genesis)
const pause: MetaCommand = { kind: 'pause', expectedEpoch: 1, at: 1, by: 'test', request: 'r' }
const paused = apply(born, pause).state

const createTalk = () => {
  const { broker, clock, pass } = createVirtualWorld()
  const open = (self: typeof n1, answer: (request: TopologyRequest, done: Answer) => void) => createTopologyDesk({
    bus: broker.connect({ name: self }), clock, log: silentLogger, cluster, self, inboxPrefix: '_INBOX.', answer,
  })
  return { broker, clock, pass, open }
}
const silent = (): void => {}

describe('the topology desk', () => {
  test('carries a request to a node and its answer back', () => {
    const { open, pass } = createTalk()
    const heard: unknown[] = []
    open(n2, (request, done) => done({ got: request.kind }))
    open(n1, silent).ask(n2, { kind: 'genesis' }, (answer) => heard.push(answer))
    pass(100)
    expect(heard).toEqual([{ got: 'genesis' }])
  })

  test('says nothing when there is nothing to say, and the asker waits no longer than a second', () => {
    const { open, pass } = createTalk()
    const heard: unknown[] = []
    open(n2, (_request, done) => done(undefined))
    const desk = open(n1, silent)
    desk.ask(n2, { kind: 'genesis' }, (answer) => heard.push(answer))
    desk.ask(n3, { kind: 'genesis' }, (answer) => heard.push(answer))
    pass(1_500)
    expect(heard).toEqual([undefined, undefined])
  })

  test('of this node is answered here, as patiently as by others and once', () => {
    const { open, pass } = createTalk()
    const held: Answer[] = []
    const heard: unknown[] = []
    const desk = open(n1, (_request, done) => held.push(done))
    for (let i = 0; i < 2; i += 1) desk.ask(n1, { kind: 'genesis' }, (answer) => heard.push(answer))
    held[0]?.('known')
    expect(heard).toEqual(['known'])
    pass(1_500)
    expect(heard).toEqual(['known', undefined])
    held[0]?.('again')
    held[1]?.('late')
    expect(heard).toHaveLength(2)
  })

  test('counts rubbish, and does not answer it', () => {
    const { open, broker, pass } = createTalk()
    const asked: TopologyRequest[] = []
    const desk = open(n2, (request) => asked.push(request))
    const stranger = broker.connect({ name: 'x' })
    const say = (from: string, value: unknown, reply: string): void => {
      stranger.publish(`skv.${cluster}.topology.n2.${from}`, encodeControl(value), { reply })
    }
    say('N1', { kind: 'genesis' }, '_INBOX.a')
    say('n1', { kind: 'genesis' }, 'kv.put.x')
    say('n1', { kind: 'nothing' }, '_INBOX.a')
    say('n1', { kind: 'state', newerThan: -1 }, '_INBOX.a')
    pass(10)
    expect(desk.counters()).toEqual({ sender: 2, malformed: 2 })
    expect(asked).toEqual([])
    desk.stop()
    say('n1', { kind: 'genesis' }, '_INBOX.a')
    pass(10)
    expect(asked).toEqual([])
  })

  test('reads every kind of request, and nothing that is almost one', () => {
    const order = { kind: 'order', group: 1, move: 2, epoch: 3, voters: ['n1:1'], learners: [] }
    const right = [
      { kind: 'genesis' }, { kind: 'state', newerThan: 0 }, order, { kind: 'propose', command: new Uint8Array([1]) }, { kind: 'overview' },
      { kind: 'history', before: 0, limit: 3 }, { kind: 'transfer', shard: 1, to: 'n2' },
    ]
    for (const request of right) {
      expect(topologyRequestOf(decodeControl(encodeControl(request)))).toEqual(request)
    }
    const wrong = [
      null, 7, {}, { kind: 'propose', command: 'x' }, { ...order, voters: ['n1'] }, { ...order, more: 1 },
      { kind: 'history', before: -1, limit: 1 }, { kind: 'transfer', shard: 1, to: 'N2' }, { kind: 'overview', all: true },
    ]
    for (const request of wrong) {
      expect(topologyRequestOf(request)).toBeUndefined()
    }
  })
})

/** A member of shard 1 that answers orders with `outcome`, and leads still where that is asked. */
const raftOf = (outcome: OrderOutcome, orders: ConfigurationOrder[], leads: boolean): RaftMember => ({
  reconfigure: (order: ConfigurationOrder, done: (outcome: OrderOutcome) => void) => {
    orders.push(order)
    done(outcome)
  },
  confirm: (_at: unknown, done: (leads: boolean) => void) => done(leads),
  status: () => ({ commitIndex: 9, matchIndex: new Map([[replicaId(n1, 1), 12]]) }),
  configurationAt: (index: number) => ({ epoch: index, voters: [replicaId(n1, 1)], outgoing: [], learners: [] }),
} as unknown as RaftMember)

describe('a node answers', () => {
  const { clock } = createVirtualWorld()
  const answersOf = (outcome: OrderOutcome = 'done', leads = true) => {
    const orders: ConfigurationOrder[] = []
    const left: number[] = []
    const raft = raftOf(outcome, orders, leads)
    const answers = createTopologyAnswers({
      clock, genesis, live: { state: () => paused } as never, raftOf: (group) => (group === 0 ? undefined : raft), meta: () => undefined,
      leave: (group) => left.push(group),
      transfer: (shard, to) => (shard === 1 && to === n2 ? 'begun' : 'unfit'),
      figures: () => ({ boot: 'b', atMs: 0, shards: [], catchUps: [] }),
    })
    const ask = (request: TopologyRequest): unknown => {
      let answer: unknown
      answers(request, (value) => { answer = value })
      return answer
    }
    return { ask, orders, left }
  }
  const order = { kind: 'order', group: 1, move: 4, epoch: 9, voters: [replicaId(n1, 1)], learners: [] } as const

  test('how its cluster was born, and the newest map it has to whoever has an older one', () => {
    const { ask } = answersOf()
    expect(genesisOf(decodeControl(encodeControl(ask({ kind: 'genesis' }))))).toEqual(genesis)
    expect(ask({ kind: 'state', newerThan: 1 })).toMatchObject({ epoch: 2, state: expect.any(Uint8Array) })
    expect(ask({ kind: 'state', newerThan: 2 })).toEqual({ epoch: 2 })
  })

  test('an order with what its group has committed', () => {
    const { ask, orders } = answersOf()
    expect(ask(order)).toEqual({
      group: 1, move: 4, epoch: 9, outcome: 'done', matches: [{ replica: 'n1:1', index: 12 }],
      configuration: { epoch: 9, voters: ['n1:1'], outgoing: [], learners: [] },
    })
    expect(ask({ ...order, group: META_GROUP })).toMatchObject({ group: 'meta' })
    expect(orders[0]).toEqual({ epoch: 9, voters: ['n1:1'], learners: [] })
  })

  test('an order that its group can not obey with what that has committed, if it is sure to lead it still', () => {
    for (const outcome of ['behind', 'leaves'] as const) {
      expect(answersOf(outcome, true).ask(order)).toMatchObject({ outcome, configuration: { epoch: 9 } })
      expect(answersOf(outcome, false).ask(order)).toEqual({ outcome: 'notLeader' })
    }
    expect(answersOf('busy', false).ask(order)).toMatchObject({ outcome: 'busy' })
  })

  test('a leadership by hand with what its own part says', () => {
    expect(answersOf().ask({ kind: 'transfer', shard: 1, to: n2 })).toEqual({ answer: 'begun' })
    expect(answersOf().ask({ kind: 'transfer', shard: 1, to: n3 })).toEqual({ answer: 'unfit' })
  })

  test('what only a member of the meta group knows with nobody\'s name', () => {
    for (const request of [{ kind: 'overview' }, { kind: 'history', before: 0, limit: 1 }] as const) {
      expect(answersOf().ask(request)).toEqual({ leader: '' })
    }
  })

  test('an order it can not carry out with who can not, and hands over what it leads and shall leave', () => {
    expect(answersOf().ask({ ...order, group: 0 })).toEqual({ outcome: 'notLeader' })
    expect(answersOf('notLeader').ask(order)).toEqual({ outcome: 'notLeader' })
    const { ask, left } = answersOf('leaves')
    expect(ask(order)).toMatchObject({ outcome: 'leaves' })
    expect(left).toEqual([1])
  })
})

describe('the leader of the meta group answers', () => {
  const history = Array.from({ length: 150 }, (_, i) => ({ epoch: i + 1, at: i, by: 'test', what: `event ${i + 1}`, request: '', move: 0 }))
  const state: ClusterState = { ...born, epoch: 150, history }
  const reads = (answer: MetaAnswer) => {
    const { open, pass, clock } = createTalk()
    const asked: unknown[] = []
    const meta = {
      ask: (question: MetaQuestion, done: (answer: MetaAnswer) => void) => {
        asked.push(question)
        done(answer)
      },
      actor: { status: () => ({ lost: [n3], progress: [{ move: 4, entriesLeft: 12 }] }) },
    } as unknown as HostedMeta
    open(n1, createTopologyAnswers({
      clock, genesis, live: { state: () => born } as never, raftOf: () => undefined, meta: () => meta, leave: () => {},
      transfer: () => 'notLeader', figures: () => ({ boot: 'b', atMs: 0, shards: [], catchUps: [] }),
    }))
    const questions = createMetaQuestions({ live: { state: () => born }, clock, ask: open(nodeId('n9'), silent).ask })
    return { asked, pass, ...createMetaReads(questions) }
  }
  const known: MetaAnswer = { type: 'meta.state', request: 1, state }

  test('how things stand, after a round that makes sure', () => {
    const { asked, pass, overview } = reads({ ...known, state: { ...state, history: [] } })
    const heard: (Overview | undefined)[] = []
    overview((answer) => heard.push(answer))
    pass(100)
    expect(heard).toEqual([{ state: { ...state, history: [] }, lost: ['n3'], progress: [{ move: 4, entriesLeft: 12 }] }])
    expect(asked).toEqual([{ type: 'meta.read', isHistoryWanted: false }])
  })

  test('what was decided, newest first and never more than a message carries', () => {
    const { pass, history: ask } = reads(known)
    const heard: number[][] = []
    for (const wish of [{ before: 0, limit: 2 }, { before: 3, limit: 50 }, { before: 0, limit: 1_000 }]) {
      ask(wish, (answer) => heard.push((answer?.events ?? []).map(({ epoch }) => epoch)))
    }
    pass(100)
    expect(heard.slice(0, 2)).toEqual([[150, 149], [2, 1]])
    expect(heard[2]).toHaveLength(100)
  })

  test.each([[150, 1], [HISTORY_EVENTS_MAX, 1], [HISTORY_EVENTS_MAX + 1, 2], [5_000, 4_001]])(
    'at epoch %i that the events from epoch %i on are kept', (epoch, oldest) => {
      const { pass, history: ask } = reads({ ...known, state: { ...state, epoch } })
      const heard: (number | undefined)[] = []
      ask({ before: 0, limit: 2 }, (answer) => heard.push(answer?.oldest))
      pass(100)
      expect(heard).toEqual([oldest])
    },
  )

  test('or nobody does: a member that does not lead only says who may', () => {
    const { asked, pass, overview } = reads({ type: 'meta.refused', request: 1, leader: '', reason: 'notLeader' })
    const heard: unknown[] = []
    overview((answer) => heard.push(answer))
    pass(20_000)
    expect(heard).toEqual([undefined])
    expect(asked.length).toBeGreaterThan(0)
  })
})

describe('a map is learned', () => {
  test('from a peer that has a newer one, with one question at a time', () => {
    const { open, pass, clock } = createTalk()
    const asked: TopologyRequest[] = []
    open(n2, (request, done) => {
      asked.push(request)
      createTopologyAnswers({
        clock, genesis, live: { state: () => paused } as never, raftOf: () => undefined, meta: () => undefined, leave: () => {},
        transfer: () => 'notLeader', figures: () => ({ boot: 'b', atMs: 0, shards: [], catchUps: [] }),
      })(request, done)
    })
    const learned: ClusterState[] = []
    const learnedEpoch = (): number => (learned.at(-1) ?? born).epoch
    const live = { state: () => born, learnedEpoch, learn: (state: ClusterState) => { learned.push(state) } }
    const sync = createMapSync({ live, desk: open(n1, silent), clock, log: silentLogger, onNewer: () => {} })
    sync.heard(n2, 1)
    sync.heard(n2, 2)
    sync.heard(n2, 2)
    pass(100)
    expect(asked).toEqual([{ kind: 'state', newerThan: 1 }])
    expect(learned).toEqual([paused])
    // It waits for room on the disk, and is not in force.
    sync.heard(n2, 2)
    pass(5_000)
    expect(asked.length).toBe(1)
    sync.heard(n2, 3)
    pass(100)
    expect(asked.slice(1)).toEqual([{ kind: 'state', newerThan: 2 }])
  })

  test('next from who told of a newer one while another was asked', () => {
    const { open, pass, clock } = createTalk()
    const asked: unknown[] = []
    const known: Readonly<Record<string, ClusterState>> = { n2: { ...paused, epoch: 20 }, n3: { ...paused, epoch: 50 } }
    for (const node of [n2, n3]) {
      open(node, (request, done) => {
        asked.push([node, request])
        done({ epoch: known[node]?.epoch, state: encodeState(known[node] ?? born) })
      })
    }
    const learned: ClusterState[] = []
    const learnedEpoch = (): number => (learned.at(-1) ?? born).epoch
    const live = { state: () => born, learnedEpoch, learn: (state: ClusterState) => { learned.push(state) } }
    const sync = createMapSync({ live, desk: open(n1, silent), clock, log: silentLogger, onNewer: () => {} })
    sync.heard(n2, 20)
    sync.heard(n3, 50)
    sync.heard(nodeId('n4'), 30)
    pass(100)
    expect(asked).toEqual([['n2', { kind: 'state', newerThan: 1 }], ['n3', { kind: 'state', newerThan: 20 }]])
    expect(learned.map(({ epoch }) => epoch)).toEqual([20, 50])
  })

  test('not from rubbish, and the next peer is asked', () => {
    const { open, pass, clock } = createTalk()
    open(n2, (_request, done) => done({ state: new Uint8Array([7]) }))
    open(n3, (_request, done) => done('what'))
    const learned: ClusterState[] = []
    const live = { state: () => born, learnedEpoch: () => 1, learn: (state: ClusterState) => { learned.push(state) } }
    const sync = createMapSync({ live, desk: open(n1, silent), clock, log: silentLogger, onNewer: () => {} })
    sync.heard(n2, 2)
    pass(100)
    sync.heard(n3, 2)
    pass(100)
    expect(learned).toEqual([])
  })

  test('in turn: whoever told nothing new is passed over for a while, and few strangers are asked at a time', () => {
    const { open, pass, clock } = createTalk()
    const asked: string[] = []
    const strangers = ['x1', 'x2', 'x3'].map(nodeId)
    for (const node of [n2, n3, ...strangers]) open(node, () => { asked.push(node) })
    const sync = createMapSync({
      live: { state: () => born, learnedEpoch: () => 1, learn: silent }, desk: open(n1, silent), clock, log: silentLogger,
      onNewer: () => {},
    })
    const hearAll = (): void => {
      for (const node of [...strangers, n2, n3]) {
        sync.heard(node, 2)
        pass(1_100)
      }
    }
    hearAll()
    expect(asked).toEqual(['x1', 'x2', 'n2', 'n3'])
    pass(1_000)
    sync.heard(n3, 2)
    sync.heard(strangers[2] ?? n1, 2)
    pass(1_100)
    expect(asked.slice(4)).toEqual(['x3'])
  })
})

describe('a proposal', () => {
  const propose = (replies: Readonly<Record<string, unknown>>) => {
    const { open, pass, clock } = createTalk()
    const asked: string[] = []
    for (const node of [n1, n2, n3]) {
      open(node, (request, done) => {
        asked.push(node)
        expect(request.kind === 'propose' && decodeCommand(request.command)).toEqual(pause)
        done(replies[node])
      })
    }
    const outcomes: (Outcome | null)[] = []
    const questions = createMetaQuestions({ live: { state: () => born }, clock, ask: open(nodeId('n9'), silent).ask })
    const proposals = createProposals(questions)
    proposals.propose(pause, (outcome) => outcomes.push(outcome))
    return { asked, outcomes, pass, proposals, questions }
  }
  const outcome = { kind: 'applied', epoch: 2, move: 0 }

  test('goes to whoever is said to lead', () => {
    const { asked, outcomes, pass } = propose({ n1: { leader: 'n3' }, n3: { outcome } })
    pass(1_000)
    expect(asked).toEqual(['n1', 'n3'])
    expect(outcomes).toEqual([outcome])
  })

  test('goes first to whoever led when it was last asked', () => {
    const { asked, pass, proposals } = propose({ n1: { leader: 'n3' }, n3: { outcome } })
    pass(1_000)
    proposals.propose(pause, () => {})
    pass(1_000)
    expect(asked).toEqual(['n1', 'n3', 'n3'])
  })

  test('goes round while nobody knows, and ends with nothing known when nobody decides', () => {
    const { asked, outcomes, pass } = propose({ n1: { leader: '' }, n2: 'what' })
    pass(60_000)
    expect(asked.length).toBe(20)
    expect(new Set(asked)).toEqual(new Set(['n1', 'n2', 'n3']))
    expect(outcomes).toEqual([null])
  })

  test('brings a refusal back as it was given', () => {
    const refusal = { kind: 'refused', reason: 'lastNode', epoch: 1, message: 'why' }
    const { outcomes, pass } = propose({ n1: { outcome: refusal } })
    pass(1_000)
    expect(outcomes).toEqual([refusal])
  })

  test('is forgotten when the node stops', () => {
    const { asked, outcomes, pass, questions } = propose({ n1: { leader: '' } })
    pass(100)
    questions.stop()
    pass(60_000)
    expect(asked).toHaveLength(1)
    expect(outcomes).toEqual([])
  })
})
