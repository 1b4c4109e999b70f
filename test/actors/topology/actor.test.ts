/** The topology actor on real Raft members: commands, reads, moves to their end, leaders that die, and snapshots. */

import { describe, expect, test } from '@jest/globals'
import { silentLogger } from '../../../actors/kernel/log.ts'
import { EntryKind } from '../../../actors/raft/protocol.ts'
import { createTopology } from '../../../actors/topology/actor.ts'
import { apply } from '../../../actors/topology/apply.ts'
import { encodeState } from '../../../actors/topology/codec.ts'
import { movesOf } from '../../../actors/topology/clusterState.ts'
import { keyedRequest } from '../../../actors/topology/protocol.ts'
import { shardId } from '../../../topology/ids.ts'
import { createMetaCluster, stateOf } from './metaCluster.ts'
import { asked, bytesOf, genesisOf, n, newborn } from './states.ts'
import type { SnapshotStore } from '../../../storage/snapshotStore.ts'
import type { MetaMember } from './metaCluster.ts'
import type { RaftLocalEvent } from '../../../actors/raft/protocol.ts'
import type { TopologyLimits } from '../../../actors/topology/core.ts'
import type { MetaAnswer, MetaCommand, Wish } from '../../../actors/topology/protocol.ts'

type Cluster = ReturnType<typeof createMetaCluster>

const fourth: Wish = { kind: 'addNode', node: n(4), weight: 1, zone: '' }

const led = (limits = {}): Cluster => {
  const cluster = createMetaCluster(limits)
  cluster.until(cluster.hasLeader, 'somebody leads')
  return cluster
}

const answerTo = ({ answers }: MetaMember, request: number): MetaAnswer | undefined => answers.find((answer) => answer.request === request)

const outcomeOf = (cluster: Cluster, wish: Wish): MetaAnswer | undefined => {
  const leader = cluster.leader()
  const request = cluster.propose(leader, asked(stateOf(leader), wish))
  cluster.until(() => answerTo(leader, request) !== undefined, `${wish.kind} is answered`)
  return answerTo(leader, request)
}

const isAtRest = (cluster: Cluster): boolean => cluster.hasLeader() && cluster.leader().topology?.state() === 'leading.watching'

const expectSame = (cluster: Cluster): void => {
  const running = cluster.members.filter(({ topology }) => topology !== null)
  const bytes = encodeState(stateOf(cluster.leader()))
  cluster.until(() => running.every((member) => Buffer.compare(encodeState(stateOf(member)), bytes) === 0), 'all have the same state')
  expect(cluster.failures).toEqual([])
}

describe('a meta group', () => {
  test('adopts its genesis, watches, and answers who leads from everybody else', () => {
    const cluster = led()
    const leader = cluster.leader()
    const other = cluster.members.find((member) => member !== leader) as MetaMember
    expect(stateOf(leader)).toEqual(newborn())
    expect(leader.topology?.state()).toBe('leading.watching')
    const read = cluster.read(other)
    const proposed = cluster.propose(other, asked(newborn(), fourth))
    const refusal = { type: 'meta.refused', reason: 'notLeader', leader: leader.id.split(':')[0] }
    expect([answerTo(other, read), answerTo(other, proposed)]).toMatchObject([refusal, refusal])
  })

  test('takes a node in, and moves replicas to it until all is where it should be, on every member alike', () => {
    const cluster = led()
    expect(outcomeOf(cluster, fourth)).toMatchObject({ type: 'meta.outcome', outcome: { kind: 'applied', epoch: 2 } })
    cluster.until(() => stateOf(cluster.leader()).epoch > 2 && isAtRest(cluster), 'it rests')
    const state = stateOf(cluster.leader())
    expect(state.shards.flatMap(({ replicas }) => replicas).filter((replica) => replica.startsWith('n4:')).length).toBeGreaterThan(1)
    expect(cluster.leader().topology?.status().plan).toMatchObject({ all: [], next: [], blocked: [] })
    for (const [shard, { replicas }] of state.shards.entries()) {
      expect([...cluster.models.get(shardId(shard))?.committed.voters ?? []].sort()).toEqual([...replicas].sort())
    }
    expectSame(cluster)
    for (const { epochs } of cluster.members) expect(epochs).toEqual(Array.from({ length: state.epoch - 1 }, (_, i) => i + 2))
  })

  test('refuses a key that was given to another change, and answers the change it was given to as before', () => {
    const cluster = led()
    const given = (wish: Wish, change: string): MetaAnswer | undefined => {
      const leader = cluster.leader()
      const request = cluster.propose(leader, { ...asked(stateOf(leader), wish), request: keyedRequest('deploy', change) })
      cluster.until(() => answerTo(leader, request) !== undefined, `${wish.kind} is answered`)
      return answerTo(leader, request)
    }
    const applied = { outcome: { kind: 'applied', epoch: 2 } }
    expect(given({ kind: 'pause' }, 'pause')).toMatchObject(applied)
    const refusal = { kind: 'refused', reason: 'keyReused', epoch: 2, message: expect.stringContaining('epoch 2') }
    expect(given(fourth, 'add')).toMatchObject({ outcome: refusal })
    expect(given({ kind: 'pause' }, 'pause')).toMatchObject(applied)
    expect(stateOf(cluster.leader())).toMatchObject({ epoch: 2, isPaused: true })
    expectSame(cluster)
  })

  test('goes on under a new leader when the old one dies in the middle of a move', () => {
    const cluster = led()
    cluster.stopShards(true)
    outcomeOf(cluster, fourth)
    cluster.until(() => movesOf(stateOf(cluster.leader())).length > 0, 'a move has begun')
    expect(cluster.leader().topology?.state()).toMatch(/leading\.(planning|moving)/)
    const dead = cluster.leader()
    const before = stateOf(dead)
    cluster.kill(dead)
    cluster.until(cluster.hasLeader, 'another leads')
    expect(movesOf(stateOf(cluster.leader())).length).toBeGreaterThanOrEqual(movesOf(before).length)
    cluster.stopShards(false)
    cluster.until(() => isAtRest(cluster), 'it rests')
    cluster.restart(dead)
    cluster.pass(500)
    expectSame(cluster)
  })

  test('lets moves that are under way end while it is paused, and begins none', () => {
    const cluster = led({ movesMax: 1 })
    outcomeOf(cluster, fourth)
    cluster.until(() => movesOf(stateOf(cluster.leader())).length > 0, 'a move has begun')
    const paused = outcomeOf(cluster, { kind: 'pause' })
    if (paused?.type === 'meta.outcome' && paused.outcome.kind === 'refused') outcomeOf(cluster, { kind: 'pause' })
    cluster.until(() => movesOf(stateOf(cluster.leader())).length === 0, 'the move has ended')
    cluster.pass(2_000)
    expect(cluster.leader().topology?.state()).toBe('leading.paused')
    expect(cluster.leader().topology?.status().plan?.all.length).toBeGreaterThan(0)
    expect(outcomeOf(cluster, { kind: 'resume' })).toMatchObject({ outcome: { kind: 'applied' } })
    cluster.until(() => isAtRest(cluster), 'it rests')
    expectSame(cluster)
  })

  test('replaces what is lost, and takes it back', () => {
    const cluster = led()
    outcomeOf(cluster, fourth)
    cluster.until(() => isAtRest(cluster) && stateOf(cluster.leader()).epoch > 2, 'it rests')
    const lost = n(4)
    const carries = (): boolean => stateOf(cluster.leader()).shards.some(({ replicas }) => replicas.some((one) => one.startsWith('n4:')))
    expect(carries()).toBe(true)
    cluster.leader().topology?.send({ type: 'topology.lost', nodes: [lost] })
    cluster.until(() => !carries() && isAtRest(cluster), 'it carries nothing')
    cluster.leader().topology?.send({ type: 'topology.lost', nodes: [] })
    cluster.until(() => carries() && isAtRest(cluster), 'it carries something again')
    expectSame(cluster)
  })
})

describe('a read', () => {
  test('shows what was committed before it was asked, with the history only where it is wanted', () => {
    const cluster = led()
    outcomeOf(cluster, { kind: 'pause' })
    const leader = cluster.leader()
    const requests = [cluster.read(leader), cluster.read(leader, true)]
    cluster.until(() => requests.every((request) => answerTo(leader, request) !== undefined), 'both are answered')
    expect(requests.map((request) => answerTo(leader, request))).toMatchObject([
      { type: 'meta.state', state: { epoch: 2, isPaused: true, history: [] } },
      { type: 'meta.state', state: { epoch: 2, history: [{ epoch: 1 }, { epoch: 2, by: 'test' }] } }])
  })

  test('of a leader that was cut off is never answered with a state, only refused when it knows', () => {
    const cluster = led()
    const leader = cluster.leader()
    const [other, third] = cluster.members.filter((member) => member !== leader) as [MetaMember, MetaMember]
    cluster.kill(other)
    cluster.kill(third)
    const read = cluster.read(leader)
    const command = cluster.propose(leader, asked(stateOf(leader), fourth))
    cluster.until(() => answerTo(leader, command) !== undefined, 'it knows that it leads no more')
    expect(answerTo(leader, read)).toMatchObject({ type: 'meta.refused', reason: 'notLeader' })
    expect(answerTo(leader, command)).toMatchObject({ type: 'meta.refused', reason: 'outcomeUnknown' })
  })
})

describe('a command', () => {
  test('that makes no sense is refused without an entry, and one for another epoch by its entry', () => {
    const cluster = led()
    const leader = cluster.leader()
    const bad = cluster.propose(leader, { ...asked(newborn(), fourth), by: '\n' })
    expect(answerTo(leader, bad)).toMatchObject({ outcome: { kind: 'refused', reason: 'invalid' } })
    const stale = cluster.propose(leader, { ...asked(newborn(), fourth), expectedEpoch: 9 })
    cluster.until(() => answerTo(leader, stale) !== undefined, 'it is answered')
    expect(answerTo(leader, stale)).toMatchObject({ outcome: { kind: 'refused', reason: 'staleEpoch', epoch: 1 } })
  })

  test('beyond the limit of those that wait is refused as too much', () => {
    const cluster = led({ waitingMax: 1 })
    const leader = cluster.leader()
    const [, second] = [cluster.read(leader), cluster.read(leader)]
    const command = cluster.propose(leader, asked(newborn(), fourth))
    expect([second, command].map((request) => answerTo(leader, request))).toMatchObject(
      [{ reason: 'overloaded' }, { reason: 'overloaded' }])
  })

  test('that does not decode changes nothing and is counted', () => {
    const cluster = led()
    cluster.leader().raft?.send({ type: 'raft.propose', proposal: 99, payload: new Uint8Array([9, 9]) })
    cluster.until(() => cluster.members.every(({ topology }) => topology?.status().undecodable === 1), 'it is counted everywhere')
    expect(stateOf(cluster.leader())).toEqual(newborn())
  })
})

describe('a snapshot', () => {
  test('is written when the log has grown, and is what a member starts from', () => {
    const cluster = led({ snapshotLogBytes: 600 })
    outcomeOf(cluster, fourth)
    cluster.until(() => isAtRest(cluster) && stateOf(cluster.leader()).epoch > 2, 'it rests')
    const [first] = cluster.members as [MetaMember]
    cluster.until(() => (first.topology?.status().snapshotIndex ?? 0) > 0, 'a snapshot is written')
    cluster.kill(first)
    cluster.restart(first)
    cluster.until(() => first.topology !== null && first.epochs.length > 0, 'its state is loaded')
    expect(first.epochs[0]).toBeGreaterThan(2)
    cluster.until(cluster.hasLeader, 'somebody leads')
    expectSame(cluster)
  })

  test('is sent to a member that missed too much of the log', () => {
    const cluster = led({ snapshotLogBytes: 400 })
    const behind = cluster.members.find((member) => member !== cluster.leader()) as MetaMember
    cluster.kill(behind)
    outcomeOf(cluster, fourth)
    cluster.until(() => isAtRest(cluster) && stateOf(cluster.leader()).epoch > 2, 'it rests')
    cluster.until(() => (cluster.leader().raft?.status().baseIndex ?? 0) > 0, 'the log was cut')
    cluster.restart(behind)
    cluster.pass(2_000)
    expectSame(cluster)
  })
})

test('a hand-over finds it quiet', () => {
  const cluster = led()
  const leader = cluster.leader()
  leader.topology?.send({ type: 'shard.handOver' })
  expect(leader.quiet).toBe(1)
})

describe('the shell of a member', () => {
  interface Call {
    readonly name: string
    readonly args: readonly unknown[]
  }

  /** One member whose Raft and snapshot store say what the test lets them say. */
  const alone = (limits: Partial<TopologyLimits> = {}) => {
    const calls: Call[] = []
    const raft: RaftLocalEvent[] = []
    const failures: unknown[] = []
    const answers: MetaAnswer[] = []
    const note = (name: string) => (...args: unknown[]): never => {
      calls.push({ name, args })
      return (() => calls.push({ name: 'cancel', args: [] })) as never
    }
    const snapshots: SnapshotStore = {
      write: note('write'), prune: note('prune'), load: note('load'), list: note('list'), readRange: note('readRange'),
      receive: note('receive'), finishReceive: note('finishReceive'), verify: note('verify'), clear: note('clear'),
    }
    const actor = createTopology({
      group: 1_024, genesis: genesisOf(), clock: { now: () => 7, wall: () => 7 }, log: silentLogger, limits,
      ports: {
        raft: (event) => raft.push(event), snapshots, snapshotsInUse: () => [4],
        configurationAt: () => ({ epoch: 0, voters: [], outgoing: [], learners: [] }),
        answer: (_, message) => answers.push(message), sendOrder: () => {}, onState: () => {}, quiet: () => {},
      },
      onFailure: (error) => failures.push(error),
    })
    const role = (role: 'leader' | 'follower', term: number): void => actor.send({
      type: 'raft.roleChanged', role, term, leaderNode: role === 'leader' ? n(1) : n(2), settled: role === 'leader', clockMs: 0, now: 0,
    })
    const commit = (index: number, command: MetaCommand | null, term = 1): void => actor.send({
      type: 'raft.committed', entries: [{ index, term, kind: command === null ? EntryKind.noop : EntryKind.batch,
        payload: command === null ? new Uint8Array(0) : bytesOf(command) }],
    })
    const lead = (): void => {
      role('leader', 1)
      commit(1, null)
    }
    const ask = (wish: Wish): void => {
      const command = asked(actor.status().state, wish)
      actor.send({ type: 'meta.propose', replyTo: 'test', request: 5, command, origin: { node: n(9), address: 'test' } })
    }
    const done = (name: string, ...results: unknown[]): void => {
      const call = calls.findLast((one) => one.name === name)
      const callback = call?.args.at(-1) as (...results: unknown[]) => void
      callback(...results)
    }
    return { actor, calls, raft, failures, answers, role, commit, lead, ask, done }
  }

  test('tries a snapshot that failed again, and not before it has waited', () => {
    const { actor, calls, commit, done } = alone()
    commit(1, asked(newborn(), fourth))
    actor.send({ type: 'shard.snapshotWanted' })
    done('write', new Error('full'))
    actor.send({ type: 'tick', now: 9_000, wallMs: 0 })
    expect(calls.filter(({ name }) => name === 'write')).toHaveLength(1)
    actor.send({ type: 'tick', now: 10_000, wallMs: 0 })
    expect(calls.filter(({ name }) => name === 'write')).toHaveLength(2)
  })

  test('writes a snapshot of the same index anew when the last was lost, not beside one that is being written', () => {
    const { actor, calls, commit, done } = alone()
    const writes = (): number => calls.filter(({ name }) => name === 'write').length
    commit(1, asked(newborn(), fourth))
    for (const expected of [1, 1]) {
      actor.send({ type: 'shard.snapshotLost' })
      expect(writes()).toBe(expected)
    }
    done('write', null, { totalBytes: 12 })
    done('prune', null)
    expect(writes()).toBe(1)
    actor.send({ type: 'shard.snapshotLost' })
    expect(writes()).toBe(2)
  })

  test('says that a snapshot is there even when older ones could not be removed, and cancels one on stop', () => {
    const { actor, calls, raft, commit, done } = alone()
    commit(1, asked(newborn(), fourth))
    actor.send({ type: 'shard.snapshotWanted' })
    done('write', null, { totalBytes: 12 })
    expect(calls.at(-1)?.args[1]).toEqual({ newest: 2, through: 1, inUse: [4] })
    done('prune', new Error('busy'))
    expect(raft).toEqual([{ type: 'raft.snapshotStored', index: 1, term: 1, totalBytes: 12 }])
    expect(actor.status().snapshotIndex).toBe(1)
    actor.stop()
    expect(calls.at(-1)?.name).toBe('cancel')
  })

  test('has a repeated command decided by what is remembered of it, though it would be refused now', () => {
    const { actor, answers, raft, lead, commit } = alone()
    const balance: Wish = { kind: 'setBalance', isOn: true }
    const orderOf = (request: string): MetaCommand => asked(actor.status().state, balance, request)
    const propose = (request: string): void =>
      actor.send({ type: 'meta.propose', replyTo: 'test', request: 5, command: orderOf(request), origin: { node: n(9), address: 'test' } })
    const proposed = (): number => raft.filter(({ type }) => type === 'raft.propose').length
    lead()
    commit(2, orderOf('r1'))
    const before = proposed()
    propose('r1')
    expect([answers, proposed()]).toEqual([[], before + 1])
    propose('r2')
    expect([answers, proposed()]).toMatchObject([[{ outcome: { reason: 'levelUnknown' } }], before + 1])
  })

  test('holds what commits while a snapshot is loaded, within its limit, and applies it then', () => {
    const state = apply(newborn(), asked(newborn(), fourth)).state
    const { actor, failures, commit } = alone()
    actor.send({ type: 'shard.restoring' })
    actor.send({ type: 'shard.restoreChunk', bytes: encodeState(state) })
    commit(8, asked(state, { kind: 'pause' }), 3)
    expect(actor.status().state.epoch).toBe(1)
    actor.send({ type: 'shard.restored', index: 7, term: 3 })
    expect(actor.status()).toMatchObject({ appliedIndex: 8, appliedTerm: 3, state: { epoch: 3, isPaused: true } })
    commit(8, asked(state, { kind: 'resume' }), 3)
    expect(actor.status().state.isPaused).toBe(true)
    const small = alone({ heldEntryBytesMax: 10 })
    small.actor.send({ type: 'shard.restoring' })
    small.actor.send({ type: 'shard.restoreChunk', bytes: encodeState(state) })
    small.commit(8, asked(state, { kind: 'pause' }))
    expect([failures.length, String(small.failures[0])]).toEqual([0, expect.stringContaining('at most 10 bytes')])
  })

  test.each([['is written', null], ['fails', new Error('full')]])(
    'writes no snapshot of what an installed one takes the place of, when one before it %s', (_name, error) => {
      const { actor, calls, commit, done } = alone()
      commit(1, asked(newborn(), fourth))
      actor.send({ type: 'shard.snapshotWanted' })
      commit(2, asked(actor.status().state, { kind: 'pause' }))
      actor.send({ type: 'shard.snapshotWanted' })
      actor.send({ type: 'shard.restoring' })
      done('write', error, { totalBytes: 12 })
      if (error === null) done('prune', null)
      actor.send({ type: 'tick', now: 20_000, wallMs: 0 })
      expect(calls.filter(({ name }) => name === 'write')).toHaveLength(1)
    })

  test('ends the process on a snapshot of another version', () => {
    const { actor, failures } = alone()
    actor.send({ type: 'shard.restoring' })
    actor.send({ type: 'shard.restoreChunk', bytes: new Uint8Array([7]) })
    actor.send({ type: 'shard.restored', index: 7, term: 3 })
    expect(String(failures[0])).toContain('upgrade this node')
  })

  test.each([['tooManyUncommitted', 'overloaded'], ['notLeader', 'notLeader'], ['transferring', 'notLeader']] as const)(
    'answers a command that Raft refused as %s with %s', (reason, said) => {
      const { actor, answers, lead, ask } = alone()
      lead()
      ask({ kind: 'pause' })
      actor.send({ type: 'raft.proposalRefused', proposal: 1, reason })
      actor.send({ type: 'raft.proposalRefused', proposal: 1, reason })
      expect(answers).toMatchObject([{ type: 'meta.refused', reason: said }])
    })

  test('does not know what became of a command whose place another entry took, or whose leadership is over', () => {
    const { actor, answers, lead, ask, commit, role } = alone()
    lead()
    ask({ kind: 'pause' })
    ask({ kind: 'pause' })
    actor.send({ type: 'raft.proposed', proposal: 1, term: 1, index: 2 })
    commit(2, asked(newborn(), fourth), 2)
    role('follower', 3)
    actor.send({ type: 'raft.proposed', proposal: 2, term: 1, index: 9 })
    actor.send({ type: 'raft.proposed', proposal: 2, term: 1, index: 9 })
    expect(answers).toMatchObject([{ reason: 'outcomeUnknown' }, { reason: 'outcomeUnknown' }])
    expect(actor.state()).toBe('following')
  })

  test('refuses a read that Raft refused, or that another leadership asked for; one that is unknown it ignores', () => {
    const { actor, answers, lead, role } = alone()
    const read = (): void => actor.send({
      type: 'meta.read', replyTo: 'test', request: 6, isHistoryWanted: false, origin: { node: n(9), address: 'test' },
    })
    lead()
    read()
    actor.send({ type: 'raft.readRefused', read: 1, reason: 'notLeader' })
    actor.send({ type: 'raft.readRefused', read: 1, reason: 'notLeader' })
    read()
    actor.send({ type: 'raft.readReady', read: 2, index: 1, term: 9 })
    actor.send({ type: 'raft.readReady', read: 2, index: 1, term: 9 })
    read()
    actor.send({ type: 'raft.readRefused', read: 3, reason: 'tooManyWaiting' })
    read()
    actor.send({ type: 'raft.readReady', read: 4, index: 4, term: 1 })
    expect(answers).toMatchObject([{ reason: 'notLeader' }, { reason: 'notLeader' }, { reason: 'overloaded' }])
    role('follower', 2)
    expect(answers[3]).toMatchObject({ reason: 'notLeader', leader: n(2) })
  })

  test('rests before it wishes again for what Raft would not take', () => {
    const { actor, raft, lead, commit } = alone()
    lead()
    commit(2, asked(newborn(), fourth))
    expect(raft.filter(({ type }) => type === 'raft.propose')).toHaveLength(1)
    expect(actor.state()).toBe('leading.planning')
    actor.send({ type: 'raft.proposalRefused', proposal: 1, reason: 'tooManyUncommitted' })
    const tick = (): void => actor.send({ type: 'tick', now: 1, wallMs: 0 })
    for (let i = 0; i < 3; i += 1) tick()
    expect(raft.filter(({ type }) => type === 'raft.propose')).toHaveLength(1)
    tick()
    expect(raft.filter(({ type }) => type === 'raft.propose')).toHaveLength(2)
  })

  test('rests for long when its own wish is refused for more than its epoch', () => {
    const { actor, raft, lead, commit } = alone()
    lead()
    commit(2, asked(newborn(), fourth))
    actor.send({ type: 'raft.proposed', proposal: 1, term: 1, index: 3 })
    commit(3, asked(actor.status().state, { kind: 'promote', move: 77 }))
    for (let i = 0; i < 99; i += 1) actor.send({ type: 'tick', now: 1, wallMs: 0 })
    expect(raft.filter(({ type }) => type === 'raft.propose')).toHaveLength(1)
    actor.send({ type: 'tick', now: 1, wallMs: 0 })
    expect(raft.filter(({ type }) => type === 'raft.propose')).toHaveLength(2)
  })
})
