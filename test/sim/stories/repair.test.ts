/**
 * Replicas that a disk has damaged, and what becomes of them: each is replaced on its own node under a new id, through the conversation by
 * which replicas move. docs/TESTING.md T7, T14, T24; docs/adr/0009-replacement.md.
 */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { generationOf, nodeOf } from '../../../topology/ids.ts'
import { harm } from '../../../sim/atlas.ts'
import { newestState } from '../../../sim/mapFaults.ts'
import { emptyImage } from '../../../storage/memoryFileSystem.ts'
import { putBackOldCopy, tellStory } from '../story.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { ReplicaId } from '../../../topology/ids.ts'
import type { Story, UnreadSegment } from '../story.ts'

const REPAIRED_MS = 60_000
const small = { segmentBytes: 12 * 1_024, snapshotLogBytes: 1_024 * 1_024 }

const stateOf = ({ simulation }: Story): ClusterState => must(newestState(simulation.cluster), 'somebody runs')
const isQuarantined = ({ node }: Machine): boolean => (node?.parts()?.host.damaged().length ?? 0) > 0
const replicasOn = ({ shards, meta }: ClusterState, { id }: Machine): ReplicaId[] =>
  [...shards, meta].flatMap(({ replicas }) => replicas.filter((replica) => nodeOf(replica) === id))
const leadsMeta = ({ node }: Machine): boolean => node?.parts()?.host.meta()?.raft.role() === 'leader'

/** Three nodes, one shard, sixty keys, and a follower whose log has been damaged while it was down. */
const followerDown = (seed: number, options: Parameters<typeof tellStory>[1] = {}) => {
  const story = tellStory(seed, { ...small, ...options })
  story.putMany('k', 60, 200)
  const victim = must(story.followers().find((machine) => !leadsMeta(machine)), 'a follower')
  story.kill(victim)
  return { story, victim }
}

const damagedFollower: typeof followerDown = (seed, options) => {
  const { story, victim } = followerDown(seed, options)
  story.damage(victim, 'log')
  return { story, victim }
}

const untilRepaired = (story: Story, victim: Machine): void => story.until(`${victim.id} has only replicas that are new and well`, () => {
  const state = stateOf(story)
  return [...state.shards, state.meta].every(({ move }) => move === null)
    && replicasOn(state, victim).every((replica) => generationOf(replica) >= victim.soundFrom) && !isQuarantined(victim)
}, REPAIRED_MS)

const expectKeys = (story: Story): void => {
  for (let i = 0; i < 60; i += 1) expect(Number.parseFloat(story.get(`k${i}`))).toBe(i)
}

describe('a replica with a damaged log', () => {
  test('is replaced on its own node under a new id, and full redundancy returns', () => {
    const { story, victim } = damagedFollower(921)
    story.start(victim)
    story.until('it says so', () => isQuarantined(victim))
    untilRepaired(story, victim)
    expectKeys(story)
    // The others are two of three: the new replica's vote counts.
    story.losePower(must(story.followers().find((machine) => machine !== victim), 'the other follower'))
    story.put('k', 'with the new one')
    expectKeys(story)
    story.end()
  })

  test('led its shard and the meta group: others lead, and replace it in both', () => {
    const story = tellStory(922, small)
    story.putMany('k', 60, 200)
    const victim = story.settledLeader()
    story.until('it leads the meta group too', () => {
      if (leadsMeta(victim)) return true
      const meta = story.nodes.find(leadsMeta)?.node?.parts()?.host.meta()
      const to = meta?.raft.status().configuration.voters.find((voter) => nodeOf(voter) === victim.id)
      if (to !== undefined) meta?.raft.send({ type: 'raft.transferLeadership', to })
      return false
    })
    story.kill(victim)
    story.damage(victim, 'log')
    story.start(victim)
    story.until('it says so', () => isQuarantined(victim))
    untilRepaired(story, victim)
    expect(replicasOn(stateOf(story), victim)).toHaveLength(2)
    expectKeys(story)
    story.end()
  })

  test('is replaced as soon as it is heard, if it was cut off before', () => {
    const { story, victim } = damagedFollower(923)
    const { epoch } = stateOf(story)
    story.isolate(victim)
    story.start(victim)
    story.run(10_000)
    expect([isQuarantined(victim), stateOf(story).epoch]).toEqual([true, epoch])
    story.heal()
    untilRepaired(story, victim)
    expectKeys(story)
    story.end()
  })

  test('is replaced although the leader of the meta group dies over it', () => {
    const { story, victim } = damagedFollower(924)
    story.start(victim)
    story.until('a move is under way', () => [...stateOf(story).shards, stateOf(story).meta].some(({ move }) => move !== null))
    const leader = must(story.nodes.find(leadsMeta), 'somebody leads the meta group')
    story.losePower(leader)
    story.run(5_000)
    story.start(leader)
    untilRepaired(story, victim)
    expectKeys(story)
    story.end()
  })

  test('is replaced whenever its node crashes, at every step of it', () => {
    const { story, victim } = damagedFollower(925)
    story.start(victim)
    const hosted = (): string => victim.node?.parts()?.host.all().map(({ id, raft }) => `${id} ${raft.role()}`).join() ?? ''
    const steps: readonly [string, () => boolean][] = [
      ['its successor is ordered', () => stateOf(story).shards[0]?.move !== null],
      ['it has made room', () => !hosted().includes(`${victim.id}:1 `)],
      ['its successor has begun', () => hosted().includes('learner')],
      ['its successor is about to vote', () => stateOf(story).shards[0]?.move?.step === 'promoting'],
      ['its successor votes', () => hosted().includes('follower')],
    ]
    for (const [what, isReached] of steps) {
      story.until(what, isReached, REPAIRED_MS)
      story.losePower(victim)
      story.run(500)
      story.start(victim)
      story.until('it is back', () => victim.node?.state() === 'serving')
    }
    untilRepaired(story, victim)
    expectKeys(story)
    story.end()
  })

  test('may be another one the next time: nothing is lost when all three are damaged in turn', () => {
    const { story, victim } = damagedFollower(926)
    let ill = victim
    for (const next of [...story.nodes.filter((machine) => machine !== victim), victim]) {
      story.start(ill)
      untilRepaired(story, ill)
      if (next === victim) break
      story.kill(next)
      story.damage(next, 'log')
      ill = next
    }
    expect(stateOf(story).shards[0]?.replicas.every((replica) => generationOf(replica) > 1)).toBe(true)
    expectKeys(story)
    story.end()
  })
})

/** How a disk reports a sector that it can not read: EIO, at every start again, which ended the node for good. */
describe('a node whose disk can not read a part of its log', () => {
  const expectReplaced = (segment: UnreadSegment): void => {
    const { story, victim } = followerDown(930)
    story.failReads(victim, segment)
    story.start(victim)
    story.until('it says so', () => isQuarantined(victim))
    untilRepaired(story, victim)
    story.kill(victim)
    story.start(victim)
    story.until('it is back, and well', () => victim.node?.state() === 'serving' && !isQuarantined(victim))
    expectKeys(story)
    // The others are two of three: the new replica's vote counts.
    story.losePower(must(story.followers().find((machine) => machine !== victim), 'the other follower'))
    story.put('k', 'with the new one')
    expectKeys(story)
    story.end()
  }

  test('in the oldest, starts without its replicas: all are replaced, nothing is lost, and full redundancy returns', () => {
    expectReplaced('the oldest')
  })

  test.each(['the newest that was begun', 'one made ahead'] as const)('in %s, starts without its replicas as well', expectReplaced)

  test('when it frees that part ends once, and its replicas are replaced', () => {
    const { story, victim } = followerDown(931)
    story.start(victim)
    story.until('it is back', () => victim.node?.state() === 'serving')
    const { lives } = victim
    story.failReads(victim, 'the oldest')
    for (let i = 0; victim.lives === lives && i < 400; i += 1) story.put('busy', String(i).padEnd(400, '.'))
    story.until('it says so', () => victim.lives === lives + 1 && isQuarantined(victim))
    untilRepaired(story, victim)
    expect(victim.lives).toBe(lives + 1)
    expectKeys(story)
    story.end()
  })

  test('for a while only, as all the others can not: all is there at the next start, and until then nobody serves less', () => {
    const { story } = followerDown(932)
    const [leader] = story.nodes.filter(({ node }) => node !== null)
    story.kill(...story.nodes.filter(({ node }) => node !== null))
    for (const machine of story.nodes) story.failReads(machine, machine === leader ? 'the newest that was begun' : 'the oldest')
    story.start(...story.nodes)
    story.until('all say so', () => story.nodes.every(isQuarantined))
    const answers = Array.from({ length: 5 }, (_, i) => story.request('get', `k${i}`))
    expect(answers.filter(({ status }) => status === 'OK' || status === 'NOT_FOUND')).toEqual([])
    story.kill(...story.nodes)
    for (const { disk } of story.nodes) disk.readAll()
    story.start(...story.nodes)
    expectKeys(story)
    expect(story.nodes.filter(isQuarantined)).toEqual([])
    story.end()
  })
})

/** docs/TESTING.md T14. */
test('an old data directory that is put back is replaced under new ids, and promises nothing under the old ones', () => {
  const story = tellStory(927)
  const victim = putBackOldCopy(story)
  const isNew = (replica: ReplicaId): boolean => nodeOf(replica) === victim.id && generationOf(replica) > 1
  const isReplaced = (): boolean => stateOf(story).shards[0]?.replicas.some(isNew) === true
  story.until('its replica of the shard is new and well', () => !isQuarantined(victim) && isReplaced(), REPAIRED_MS)
  expect(story.get('k')).toBe('new9')
  story.end()
})

/** Nobody can do so through the command line: an empty directory has no genesis, and a new one gets no member's name (joinCluster.ts). */
test('a disk that was wiped gives no replica of its node the vote it had: they are refused, and replaced under new ids', () => {
  const story = tellStory(929)
  for (let i = 0; i < 10; i += 1) story.put('k', `new${i}`)
  const victim = must(story.followers().find((machine) => !leadsMeta(machine)), 'a follower')
  story.losePower(victim)
  victim.disk.restore(emptyImage)
  harm(victim, story.simulation.watch.newestMap())
  story.start(victim)
  story.until('it is told that it has forgotten', () => isQuarantined(victim))
  untilRepaired(story, victim)
  expect(story.get('k')).toBe('new9')
  story.end()
})

test('a damaged snapshot with a good one before it heals without help', () => {
  const story = tellStory(928, { snapshotLogBytes: 2_048 })
  story.putMany('k', 60, 200)
  const victim = must(story.followers()[0], 'there is a follower')
  story.kill(victim)
  expect([...victim.disk.copy().files.keys()].filter((path) => path.startsWith('snapshots/0/') && path.endsWith('.snap'))).toHaveLength(2)
  story.damage(victim, 'snapshot')
  const { epoch } = stateOf(story)
  story.start(victim)
  const healthOf = (): string | undefined => victim.node?.report().replicas[0]?.health
  story.until('it says that it was damaged', () => healthOf() === 'suspect')
  story.until('it is back, and well', () => story.revision(victim) === story.revision(story.leader()) && healthOf() === undefined)
  expect([isQuarantined(victim), stateOf(story).epoch]).toEqual([false, epoch])
  expectKeys(story)
  story.end()
})

/** A disk that reads badly for once: the replica counted for nothing then, and was to be replaced. */
test('a replica that lacked its snapshots at one start never votes again, though the next start can read them', () => {
  const story = tellStory(928, { snapshotLogBytes: 2_048 })
  story.putMany('k', 60, 200)
  const victim = must(story.followers().find((machine) => !leadsMeta(machine)), 'a follower')
  story.kill(victim)
  const good = victim.disk.copy()
  const snapshots = [...good.files].filter(([path]) => path.startsWith('snapshots/0/') && path.endsWith('.snap'))
  const spoilt = snapshots.map(([path, bytes]) => [path, Uint8Array.from(bytes).fill(0, 100)] as const)
  const putBack = (files: readonly (readonly [string, Uint8Array])[]): void => {
    const { files: others, directories } = victim.disk.copy()
    victim.disk.restore({ files: new Map([...others, ...files]), directories })
  }
  putBack(spoilt)
  // Of shard 0 alone: the meta group's member on that machine must stay trusted.
  harm(victim, story.simulation.watch.newestMap(), 'snapshots/0/')
  story.isolate(victim)
  story.start(victim)
  story.until('it says so', () => isQuarantined(victim))
  story.run(1_000)
  story.kill(victim)
  putBack(snapshots)
  story.start(victim)
  story.until('it is open', () => (victim.node?.parts()?.host.all().length ?? 0) > 0)
  expect(isQuarantined(victim)).toBe(true)
  story.heal()
  story.until('its replica of the shard is new and well', () => !isQuarantined(victim)
    && stateOf(story).shards[0]?.replicas.some((each) => nodeOf(each) === victim.id && generationOf(each) > 1) === true, REPAIRED_MS)
  expectKeys(story)
  story.end()
})

/** What a disk loses of a log but for its last segment, and the file of the map with it. */
const loseLogAndMap = (machine: Machine): void => {
  const { files, directories } = machine.disk.copy()
  const left = new Map(files)
  const written = [...files].filter(([path, bytes]) => path.endsWith('.wal') && bytes.some((byte) => byte !== 0))
    .map(([path]) => path).sort()
  for (const path of written.slice(0, -1)) {
    const bytes = Uint8Array.from(must(files.get(path), 'a segment'))
    left.set(path, bytes.fill(0, SEGMENT_HEAD_BYTES, bytes.length - SEGMENT_HEAD_BYTES))
  }
  left.delete('map.bin')
  machine.disk.restore({ files: left, directories })
}

const SEGMENT_HEAD_BYTES = 4_096

test('a node that has lost its log and its map together asks what is new before it begins anything', () => {
  const { story, victim } = damagedFollower(926)
  loseLogAndMap(victim)
  harm(victim, story.simulation.watch.newestMap())
  story.isolate(victim)
  story.start(victim)
  story.run(3_000)
  expect(victim.node?.parts()?.host.asksWhatIsNew()).toBe(true)
  story.heal()
  untilRepaired(story, victim)
  expect(victim.node?.parts()?.host.asksWhatIsNew()).toBe(false)
  expectKeys(story)
  story.end()
})

test('a replica that had its vote does not begin again, though its log and its map are lost together and an old map calls it new', () => {
  const { story, victim } = damagedFollower(921)
  const leader = story.settledLeader()
  const third = must(story.nodes.find((machine) => machine !== victim && machine !== leader), 'a third')
  story.start(victim)
  const isVoter = (machine: Machine): boolean => {
    const configuration = machine.node?.parts()?.host.all()[0]?.raft.status().configuration
    return configuration?.outgoing.length === 0
      && configuration.voters.some((voter) => nodeOf(voter) === victim.id && generationOf(voter) > 1)
  }
  story.until('the new replica has its vote, and the map does not know yet', () =>
    stateOf(story).shards[0]?.move?.step === 'promoting' && story.nodes.every(isVoter), REPAIRED_MS)
  // Its map stays as it is; the other two acknowledge what it never gets.
  story.isolate(third)
  story.run(1_500)
  for (let i = 0; i < 40; i += 1) story.put(`late${i}`, 'there')
  story.kill(victim)
  story.losePower(leader)
  loseLogAndMap(victim)
  harm(victim, story.simulation.watch.newestMap())
  story.heal()
  story.start(victim)
  // Two of three, and one of them has forgotten its vote: nobody may lead.
  story.run(6_000)
  story.start(leader)
  story.until('it is replaced once more', () => story.leader() !== victim && !isQuarantined(victim), 2 * REPAIRED_MS)
  for (let i = 0; i < 40; i += 1) expect(story.get(`late${i}`)).toBe('there')
  story.end()
})
