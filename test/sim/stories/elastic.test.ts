/**
 * Nodes come and go, and replicas with them: what an operator asks of the cluster's map, and what becomes of keys, leaders and promises
 * meanwhile. Issues of etcd (learners, #10727: a member removed while away), TiKV and CockroachDB gave ideas for what to fear.
 */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { hostedOn, movesOf, nodeIn } from '../../../actors/topology/clusterState.ts'
import { harm } from '../../../sim/atlas.ts'
import { generationOf, nodeId, nodeOf, shardId } from '../../../topology/ids.ts'
import { decide, isAtRest, stateOf, untilMoved } from '../orders.ts'
import { tellStory } from '../story.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'
import type { Outcome, Wish } from '../../../actors/topology/protocol.ts'
import type { ReplicaId } from '../../../topology/ids.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { Pending, Story } from '../story.ts'

const replicasOn = (state: ClusterState, { id }: Machine): number =>
  state.shards.filter(({ replicas }) => replicas.some((replica) => nodeOf(replica) === id)).length

/** Whoever leads the meta group has no more wishes, and what it has decided is known everywhere. */
const isAllDone = (story: Story): boolean => story.nodes.some(({ node }) => {
  const meta = node?.parts()?.host.meta()?.actor
  return meta?.state() === 'leading.watching' && meta.status().state.epoch === stateOf(story).epoch
})

/** Three nodes in the cluster, a fourth machine that is not, four shards. */
const threeAndOne = (seed: number, options: Parameters<typeof tellStory>[1] = {}): { readonly story: Story; readonly fourth: Machine } => {
  const story = tellStory(seed, { nodes: 3, joiners: 1, shards: 4, ...options })
  return { story, fourth: must(story.nodes[3], 'a fourth machine') }
}

const joinFourth = (seed: number, options: Parameters<typeof tellStory>[1] = {}): ReturnType<typeof threeAndOne> => {
  const it = threeAndOne(seed, options)
  it.story.putMany('k', 20)
  it.story.simulation.cluster.join(it.fourth)
  untilMoved(it.story, 'the fourth has its share', (state) => replicasOn(state, it.fourth) === 3)
  return it
}

const expectKeys = (story: Story): void => {
  for (let i = 0; i < 20; i += 1) expect(story.get(`k${i}`)).toBe(String(i))
}

describe('a node that joins', () => {
  test('gets its share of replicas and of leaderships, and every key stays where it can be found', () => {
    const { story, fourth } = joinFourth(901)
    const state = stateOf(story)
    expect(story.nodes.map((machine) => replicasOn(state, machine))).toEqual([3, 3, 3, 3])
    const leads = ({ node }: Machine): number => node?.report().replicas.filter(({ state: at }) => at === 'leading.serving').length ?? 0
    story.until('it leads one of four shards', () => leads(fourth) === 1, 60_000)
    expectKeys(story)
    story.end()
  })

  test('crashes in the middle of it, and has what it was given when it comes back', () => {
    const { story, fourth } = threeAndOne(902)
    story.putMany('k', 20)
    story.simulation.cluster.join(fourth)
    story.until('a replica begins there', () => (fourth.node?.parts()?.host.all().length ?? 0) > 0)
    story.losePower(fourth)
    story.run(2_000)
    story.start(fourth)
    untilMoved(story, 'it has its share', (state) => replicasOn(state, fourth) === 3)
    expectKeys(story)
    story.end()
  })

  test('is led to its share by the next leader of the meta group when the one that began it dies', () => {
    const { story, fourth } = threeAndOne(903)
    story.putMany('k', 20)
    story.simulation.cluster.join(fourth)
    story.until('moves are under way', () => !isAtRest(story))
    const leading = (machine: Machine): boolean => machine.node?.parts()?.host.meta()?.raft.role() === 'leader'
    const dead = must(story.nodes.find(leading), 'somebody leads the meta group')
    story.losePower(dead)
    story.until('another leads it', () => story.nodes.some((machine) => machine !== dead && leading(machine)))
    story.start(dead)
    untilMoved(story, 'the fourth has its share', (state) => replicasOn(state, fourth) === 3)
    expectKeys(story)
    story.end()
  })
})

describe('a node that is drained', () => {
  test('hands over all it has, and leaves by itself; the others have every key', () => {
    const { story } = joinFourth(904)
    const [first] = story.nodes as [Machine]
    expect(decide(story, { kind: 'drainNode', node: first.id, isForced: false })).toMatchObject({ kind: 'applied' })
    story.until('it has left', () => !first.isInUse, 120_000)
    const state = stateOf(story)
    expect(nodeIn(state, first.id)?.state).toBe('left')
    expect(story.nodes.map((machine) => replicasOn(state, machine))).toEqual([0, 4, 4, 4])
    expect(state.meta.replicas.map(nodeOf)).not.toContain(first.id)
    expectKeys(story)
    story.end()
  })

  test('hands each of its leaderships over once, and no other moves', () => {
    const shards = 16
    const { story, fourth } = threeAndOne(905, { shards, segmentBytes: 1_048_576 })
    story.putMany('k', 20)
    story.simulation.cluster.join(fourth)
    const isHome = (): boolean => stateOf(story).shards.every(({ replicas: [first] }, shard) => {
      const machine = story.nodes.find(({ id }) => first !== undefined && id === nodeOf(first))
      return machine?.node?.report().replicas.find((one) => one.shard === shard)?.state === 'leading.serving'
    })
    const preferring = (state: ClusterState): number =>
      state.shards.filter(({ replicas: [first] }) => first !== undefined && nodeOf(first) === fourth.id).length
    untilMoved(story, 'it leads its share', (state) => preferring(state) === shards / 4 && isHome())
    const termsOf = (): number[] => Array.from({ length: shards }, (_, shard) =>
      Math.max(...story.nodes.map(({ node }) => node?.parts()?.host.of(shardId(shard))?.raft.leadership().term ?? 0)))
    const wasLed = stateOf(story).shards.map(({ replicas: [first] }) => first !== undefined && nodeOf(first) === fourth.id)
    const before = termsOf()
    decide(story, { kind: 'drainNode', node: fourth.id, isForced: false })
    story.until('it has left', () => !fourth.isInUse, 120_000)
    story.run(5_000)
    untilMoved(story, 'every leader is at home', isHome)
    expect(termsOf().map((term, shard) => term - (before[shard] ?? 0))).toEqual(wasLed.map((was) => (was ? 1 : 0)))
    expectKeys(story)
    story.end()
  })

  test('comes back under new replica ids, which have promised nothing', () => {
    const { story } = joinFourth(905)
    const [first] = story.nodes as [Machine]
    decide(story, { kind: 'drainNode', node: first.id, isForced: false })
    story.until('it has left', () => !first.isInUse, 120_000)
    const before = stateOf(story).nextGeneration
    story.simulation.cluster.join(first)
    untilMoved(story, 'it has its share again', (state) => replicasOn(state, first) === 3)
    const own = stateOf(story).shards.flatMap(({ replicas }) => replicas.filter((replica) => nodeOf(replica) === first.id))
    expect(own.every((replica) => generationOf(replica) >= before)).toBe(true)
    expectKeys(story)
    story.end()
  })

  test('is refused where too few would be left, and says what would be possible', () => {
    const { story } = threeAndOne(906)
    const refused = decide(story, { kind: 'drainNode', node: nodeId('n1'), isForced: false })
    expect(refused).toMatchObject({ kind: 'refused', reason: 'tooFewNodes', message: expect.stringMatching(/add a node first/) })
    story.end()
  })

  test('was away while its replicas moved, and ends them when it is back', () => {
    const { story } = joinFourth(907)
    const [, second] = story.nodes as [Machine, Machine]
    story.kill(second)
    decide(story, { kind: 'drainNode', node: second.id, isForced: false })
    untilMoved(story, 'its replicas are elsewhere', (state) => replicasOn(state, second) === 0)
    expectKeys(story)
    story.start(second)
    story.until('it has left', () => !second.isInUse, 60_000)
    story.end()
  })
})

/** Whoever is in the cluster tells the map, to whoever asks. */
test('a node that was away while all it knew left learns the map from those that came, and is one of them', () => {
  const story = tellStory(915, { nodes: 3, joiners: 2, shards: 2, lostAfterMs: 600_000 })
  story.putMany('k', 20)
  const [first, second, third, ...joiners] = story.nodes as [Machine, Machine, Machine, ...Machine[]]
  story.kill(third)
  for (const joiner of joiners) {
    story.simulation.cluster.join(joiner)
    untilMoved(story, 'it has its share', (state) => replicasOn(state, joiner) > 0)
  }
  for (const machine of [first, second]) {
    decide(story, { kind: 'drainNode', node: machine.id, isForced: false }, joiners[0])
    story.until('it has left', () => !machine.isInUse, 120_000)
  }
  story.start(third)
  story.until('it has the map', () => third.node?.parts()?.live.state().epoch === stateOf(story).epoch)
  expect(decide(story, { kind: 'setWeight', node: third.id, weight: 2 }, third)).toMatchObject({ kind: 'applied' })
  untilMoved(story, 'it has its replicas', (state) => replicasOn(state, third) === 2)
  expectKeys(story)
  story.end()
})

/** Somebody who writes without a pause; `go` is to be called in every step of whatever is awaited. */
const createWriter = (story: Story) => {
  const acknowledged: string[] = []
  let sent = 0
  let pending: Pending | null = null
  return {
    acknowledged,
    go: (): void => {
      const answer = pending?.answer() ?? null
      if (pending !== null && answer === null) return
      if (answer?.status === 'OK') acknowledged.push(`w${sent}`)
      sent += 1
      pending = story.send('put', `w${sent}`, `w${sent}`)
    },
  }
}

test('the number of replicas goes from three to five and back, and every write that was acknowledged meanwhile is there', () => {
  const story = tellStory(917, { nodes: 5, shards: 4 })
  story.putMany('k', 20)
  const writer = createWriter(story)
  for (const replicationFactor of [5, 3]) {
    expect(decide(story, { kind: 'setReplicationFactor', replicationFactor })).toMatchObject({ kind: 'applied' })
    const before = writer.acknowledged.length
    story.until(`every shard has ${replicationFactor}`, () => {
      writer.go()
      return isAtRest(story) && stateOf(story).shards.every(({ replicas }) => replicas.length === replicationFactor)
    }, 120_000)
    expect(writer.acknowledged.length).toBeGreaterThan(before)
  }
  for (const key of writer.acknowledged) expect(story.get(key)).toBe(key)
  expectKeys(story)
  story.end()
})

describe('a node that is silent', () => {
  test('for longer than it is waited for is replaced, and balanced in again when it returns', () => {
    const { story, fourth } = joinFourth(908, { lostAfterMs: 5_000 })
    story.kill(fourth)
    untilMoved(story, 'its replicas are rebuilt elsewhere', (state) => replicasOn(state, fourth) === 0)
    expectKeys(story)
    story.start(fourth)
    untilMoved(story, 'it has its share again', (state) => replicasOn(state, fourth) === 3)
    expectKeys(story)
    story.end()
  })

  test('and was removed is added again when it is told to join on its old directory', () => {
    const { story, fourth } = joinFourth(916, { lostAfterMs: 5_000 })
    story.kill(fourth)
    untilMoved(story, 'its replicas are rebuilt elsewhere', (state) => replicasOn(state, fourth) === 0)
    expect(decide(story, { kind: 'removeNode', node: fourth.id })).toMatchObject({ kind: 'applied' })
    const { lives } = fourth
    story.simulation.cluster.join(fourth)
    untilMoved(story, 'it has its share again', (state) => replicasOn(state, fourth) === 3)
    expect(fourth.lives).toBe(lives + 1)
    expectKeys(story)
    story.end()
  })

  test('for a shorter time keeps everything', () => {
    const { story, fourth } = joinFourth(909, { lostAfterMs: 20_000 })
    // The last move is followed by an order of preference.
    story.until('nothing is left to do', () => isAllDone(story), 120_000)
    const before = stateOf(story)
    story.kill(fourth)
    story.run(15_000)
    story.start(fourth)
    story.run(10_000)
    expect(stateOf(story)).toEqual(before)
    story.end()
  })

  test('of three is not replaced: nobody could take its place, and its replicas keep their votes', () => {
    const story = tellStory(910, { nodes: 3, shards: 2, lostAfterMs: 3_000 })
    story.putMany('k', 20)
    const [, , third] = story.nodes as [Machine, Machine, Machine]
    story.kill(third)
    story.run(20_000)
    expect(stateOf(story)).toMatchObject({ epoch: 1 })
    expect(story.leader().node?.parts()?.host.of(shardId(0))?.raft.status().configuration.voters).toHaveLength(3)
    expectKeys(story)
    story.end()
  })
})

describe('a shard that is to have fewer replicas', () => {
  test('does not rest on one that has just died: it goes on, gives that one up as lost, and then the other', () => {
    const story = tellStory(908)
    story.put('k', 'before')
    const replicas = (): readonly string[] => must(stateOf(story).shards[0], 'a shard').replicas.map(nodeOf)
    story.until('the preferred leader leads', () => story.leader().id === replicas()[0], 60_000)
    // The planner gives up the last of them first, and takes nobody for dead before half a minute has passed.
    const [keeper, victim] = replicas().map((id) => must(story.nodes.find((machine) => machine.id === id), 'a machine'))
    story.losePower(must(victim, 'a second'))
    story.run(2_000)
    decide(story, { kind: 'setReplicationFactor', replicationFactor: 1 }, keeper)
    story.until('the last is to go', () => stateOf(story).shards[0]?.move?.step === 'promoting')
    story.run(10_000)
    story.put('k', 'meanwhile')
    untilMoved(story, 'one replica is left', ({ shards: [shard] }) => shard?.replicas.length === 1)
    expect([replicas(), story.get('k')]).toEqual([[keeper?.id], 'meanwhile'])
    story.end()
  })
})

describe('a move', () => {
  test('that is cancelled leaves no learner behind, and no replica', () => {
    const { story, fourth } = threeAndOne(911)
    story.putMany('k', 20)
    decide(story, { kind: 'pause' })
    story.simulation.cluster.join(fourth)
    story.until('it is a member', () => nodeIn(stateOf(story), fourth.id) !== undefined)
    // Its replica can not catch up: nobody hears it.
    story.isolate(fourth)
    const shard = shardId(0)
    decide(story, { kind: 'beginMove', group: shard, add: fourth.id, remove: null, isPlanned: false })
    const { move } = must(movesOf(stateOf(story))[0], 'a move')
    story.run(3_000)
    decide(story, { kind: 'cancel', move: move.id })
    story.heal()
    untilMoved(story, 'it has ended', (state) => state.shards[0]?.move === null)
    expect(story.leader().node?.parts()?.host.of(shard)?.raft.status().configuration).toMatchObject({ learners: [], outgoing: [] })
    story.until('its replica has ended', () => fourth.node?.parts()?.host.isEmpty() === true)
    expectKeys(story)
    story.end()
  })

  test('takes a leadership along with care: nobody has to wait for an election', () => {
    const { story, fourth } = threeAndOne(912, { shards: 1 })
    story.putMany('k', 20)
    const leader = story.settledLeader()
    decide(story, { kind: 'pause' })
    story.simulation.cluster.join(fourth)
    story.until('it is a member', () => nodeIn(stateOf(story), fourth.id) !== undefined)
    const remove = must(stateOf(story).shards[0]?.replicas.find((replica) => nodeOf(replica) === leader.id), 'its replica')
    decide(story, { kind: 'beginMove', group: shardId(0), add: fourth.id, remove, isPlanned: false })
    const answers: string[] = []
    story.until('it has ended', () => {
      answers.push(story.request('put', 'moving', String(answers.length)).status)
      return isAtRest(story)
    }, 60_000)
    // While the slot changes hands nobody may be there to answer: then the broker says so, at once and definitely.
    expect(answers.filter((status) => status !== 'OK' && status !== 'noResponders')).toEqual([])
    expect(answers.filter((status) => status === 'noResponders').length).toBeLessThan(answers.length / 10)
    expect(stateOf(story).shards[0]?.replicas.map(nodeOf)).not.toContain(leader.id)
    expectKeys(story)
    story.end()
  })
})

/** Found by the simulator: leadership was offered to the newcomer, which has no vote yet, again and again. */
test('the leader of the meta group is replaced in it, whoever leads', () => {
  const { story, fourth } = joinFourth(914)
  const lead = (): Machine => must(story.nodes.find(({ node }) => node?.parts()?.host.meta()?.raft.role() === 'leader'), 'a leader')
  decide(story, { kind: 'pause' })
  const leader = lead()
  const { replicas } = stateOf(story).meta
  const remove = must(replicas.find((replica) => nodeOf(replica) === leader.id), 'its replica')
  const home = must(story.nodes.find(({ id }) => replicas.every((replica) => nodeOf(replica) !== id)), 'a node without one')
  expect(decide(story, { kind: 'beginMove', group: 'meta', add: home.id, remove, isPlanned: false })).toMatchObject({ kind: 'applied' })
  untilMoved(story, 'it is replaced', ({ meta }) => meta.replicas.every((replica) => nodeOf(replica) !== leader.id))
  expect(fourth.isInUse).toBe(true)
  story.end()
})

test('without a quorum of the meta group nothing is decided, and shards go on', () => {
  const story = tellStory(913, { nodes: 3, shards: 1, replicationFactor: 1 })
  const owner = story.settledLeader()
  const others = story.nodes.filter((machine) => machine !== owner)
  story.put('k', 'before')
  story.kill(...others)
  let outcome: Outcome | null | undefined
  owner.node?.propose({ kind: 'pause', expectedEpoch: 1, at: 1, by: 'story', request: '' }, (decided) => { outcome = decided })
  story.run(20_000)
  expect(outcome ?? null).toBeNull()
  expect(story.get('k')).toBe('before')
  story.put('k', 'after')
  expect(story.get('k')).toBe('after')
  story.end()
})

const loseMap = ({ disk }: Machine): void => {
  const { files, directories } = disk.copy()
  disk.restore({ files: new Map([...files].filter(([path]) => path !== 'map.bin')), directories })
}

test('two nodes that lose their maps, and nothing else, keep the replicas that came to them since the genesis', () => {
  const story = tellStory(916, { nodes: 5, shards: 1 })
  story.putMany('k', 20)
  const born = must(stateOf(story).shards[0], 'a shard').replicas
  const homes = story.nodes.filter(({ id }) => born.every((replica) => nodeOf(replica) !== id))
  decide(story, { kind: 'pause' })
  for (const [at, { id }] of homes.entries()) {
    decide(story, { kind: 'beginMove', group: shardId(0), add: id, remove: must(born[at + 1], 'a replica'), isPlanned: false })
    untilMoved(story, 'it has moved', ({ shards }) => shards[0]?.replicas.some((replica) => nodeOf(replica) === id) === true)
  }
  // One node may be the only one that has heard of it.
  const { epoch, shards: [moved] } = stateOf(story)
  story.kill(...homes)
  for (const machine of homes) loseMap(machine)
  story.start(...homes)
  story.until('they know the map again', () => homes.every(({ node }) => (node?.parts()?.live.state().epoch ?? 0) >= epoch))
  expectKeys(story)
  expect(stateOf(story).shards[0]).toEqual(moved)
  story.end()
})

/** The fourth has joined and has replicas that are newer than the genesis. */
const joinedAndWithoutMap = (seed: number, ...wishes: readonly Wish[]): ReturnType<typeof threeAndOne> => {
  const { story, fourth } = joinFourth(seed)
  for (const wish of wishes) decide(story, wish)
  story.until('it has heard', () => fourth.node?.parts()?.live.state().epoch === stateOf(story).epoch)
  story.kill(fourth)
  loseMap(fourth)
  return { story, fourth }
}

const expectBack = (story: Story, fourth: Machine): void => {
  story.start(fourth)
  story.until('it is back', () => fourth.node?.state() === 'serving' && fourth.node.parts()?.live.state().epoch === stateOf(story).epoch)
  expect(replicasOn(stateOf(story), fourth)).toBe(3)
  expectKeys(story)
  story.end()
}

test('a node that joined once, has another weight by now and loses its map is no stranger', () => {
  const { story, fourth } = joinedAndWithoutMap(927, { kind: 'pause' }, { kind: 'setWeight', node: nodeId('n4'), weight: 2 })
  expectBack(story, fourth)
})

test('a node that joined once and loses its map comes back by its plain command, too', () => {
  const { story, fourth } = joinedAndWithoutMap(928)
  fourth.isJoining = false
  expectBack(story, fourth)
})

test('a founder that joins again with nothing on its disk is none of the replicas that groups were born with', () => {
  const story = tellStory(929, { nodes: 4, shards: 1 })
  story.putMany('k', 10)
  const { shards, meta } = stateOf(story)
  const groups = [{ group: shardId(0), born: must(shards[0], 'a shard').replicas }, { group: 'meta' as const, born: meta.replicas }]
  const isIn = (machine: Machine) => ({ born }: { readonly born: readonly ReplicaId[] }): boolean =>
    born.some((replica) => nodeOf(replica) === machine.id)
  const [left, away] = story.nodes.filter((machine) => groups.every(isIn(machine))) as [Machine, Machine]
  const asked = must(story.nodes.find((machine) => machine !== left && machine !== away), 'another')
  story.kill(away)
  decide(story, { kind: 'pause' }, asked)
  for (const { group, born } of groups) {
    const home = must(story.nodes.find((machine) => !isIn(machine)({ born })), 'one without')
    const remove = must(born.find((replica) => nodeOf(replica) === left.id), 'its replica')
    decide(story, { kind: 'beginMove', group, add: home.id, remove, isPlanned: false }, asked)
    story.until('it has moved', () => isAtRest(story) && hostedOn(stateOf(story), home.id).some((hosted) => hosted.group === group))
  }
  decide(story, { kind: 'removeNode', node: left.id }, asked)
  story.until('it has left', () => left.node === null && !left.isInUse)
  story.putMany('k', 20)
  left.disk.wiped()
  harm(left, story.simulation.watch.newestMap())
  Object.assign(left, { hasJoined: true, mapLeft: null })
  story.isolate(left, away)
  story.simulation.cluster.join(left)
  story.start(away)
  story.run(10_000)
  const roleOf = ({ node }: Machine): string | undefined => node?.parts()?.host.all()[0]?.raft.role()
  expect([roleOf(left), roleOf(away)]).toEqual([undefined, expect.stringMatching(/follower|andidate/)])
  story.heal()
  expectKeys(story)
  story.end()
})
