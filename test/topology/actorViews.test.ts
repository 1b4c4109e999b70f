/** Which actors of a node are shown where there are very many. */

import { expect, test } from '@jest/globals'
import { actorViews } from '../../topology/actorViews.ts'
import type { ActorState } from '../../observe/recorder/recorder.ts'

const ACTORS_MAX = 4_096

const stateOf = (actor: string): ActorState => ({ actor, state: 'open', since: 1 })
const sessions = (count: number): readonly ActorState[] => Array.from({ length: count }, (_, i) => stateOf(`connection/${i.toString(16)}`))
const replicas = (count: number): readonly ActorState[] =>
  Array.from({ length: count }, (_, shard) => [stateOf(`raft/${shard}`), stateOf(`shard/${shard}`)]).flat()
const namesOf = (states: readonly ActorState[]): readonly string[] =>
  actorViews({ states, parts: null, gossip: null }).map(({ actor }) => actor)

test('replicas are shown before sessions, however many of those there were first', () => {
  const alone = [stateOf('node'), stateOf('connection/raw')]
  const names = namesOf([...alone, ...sessions(5_000), ...replicas(64)])
  expect(names.length).toBe(ACTORS_MAX)
  expect(names.slice(0, 130)).toEqual([...alone, ...replicas(64)].map(({ actor }) => actor))
})

test('a node has room for all that it hosts at 1,024 shards', () => {
  expect(namesOf([...replicas(1_024), ...sessions(10)]).length).toBe(2_058)
})
