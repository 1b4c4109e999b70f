/**
 * The cluster as it is drawn: nodes, shards, who leads, who follows, what is on its way. Made of a world; live, what the admin API says of
 * membership and moves is laid over it.
 */

import type { ActorNow, World } from './world.ts'
import type { ClusterAnswer, Move, NodeView, ShardView } from '../../gateway/admin/views.ts'

export interface ClusterFacts {
  readonly cluster: ClusterAnswer
  readonly nodes: readonly NodeView[]
  readonly shards: readonly ShardView[]
  readonly moves: readonly Move[]
  /** Nodes that do not answer. */
  readonly missing: readonly string[]
  /** What the node that is asked warns of, or waits for. */
  readonly warnings: readonly string[]
}

export type Condition = 'serving' | 'starting' | 'draining' | 'suspect' | 'dead' | 'silent' | 'stopped' | 'paused' | 'cut'

export interface NodeMark {
  readonly node: string
  readonly condition: Condition
  readonly leads: number
  readonly replicas: number
  readonly zone: string
}

export type ReplicaRole = 'leader' | 'follower' | 'candidate' | 'learner' | 'halted' | 'starting' | 'unknown'

export interface ReplicaMark {
  readonly node: string
  readonly role: ReplicaRole
  readonly state: string
  readonly term: number
}

export interface ShardMark {
  readonly shard: number
  readonly leader: string | null
  /** No leader, and every replica that is there has been heard of: it is not merely not known. */
  readonly isLeaderless: boolean
  readonly term: number
  readonly replicas: readonly ReplicaMark[]
  readonly move: Pick<Move, 'id' | 'add' | 'remove' | 'step'> | null
}

export interface Picture {
  readonly nodes: readonly NodeMark[]
  readonly shards: readonly ShardMark[]
}

export const pictureOf = (world: World, facts: ClusterFacts | null): Picture => {
  const groups = groupsOf(world)
  const names = facts === null ? [...world.nodes.keys()] : facts.nodes.filter(({ state }) => state !== 'left').map(({ id }) => id)
  const conditions = new Map(names.map((node) => [node, conditionOf(world, node, facts)]))
  const isGone = (node: string): boolean => goneConditions.has(conditions.get(node) ?? 'dead')
  const numbers = new Set([...groups.keys(), ...facts?.shards.map(({ shard }) => shard) ?? []])
  const shards = [...numbers].sort((a, b) => a - b).map((shard) =>
    shardMark(shard, { members: groups.get(shard) ?? [], view: facts?.shards.find((one) => one.shard === shard), isGone, names }))
  return {
    shards,
    nodes: names.sort(byName).map((node) => ({
      node, condition: conditions.get(node) ?? 'dead', zone: facts?.nodes.find(({ id }) => id === node)?.zone ?? '',
      leads: shards.filter(({ leader }) => leader === node).length,
      replicas: shards.filter(({ replicas }) => replicas.some((one) => one.node === node)).length,
    })),
  }
}

const goneConditions: ReadonlySet<Condition> = new Set(['dead', 'silent', 'stopped'])

/** `n2` before `n10`. */
export const byName = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true })

const groupsOf = ({ actors }: World): Map<number, ActorNow[]> => {
  const groups = new Map<number, ActorNow[]>()
  for (const one of actors.values()) {
    const shard = /^raft\/(\d+)$/.exec(one.actor)?.[1]
    if (shard === undefined) continue
    const members = groups.get(Number(shard))
    if (members === undefined) groups.set(Number(shard), [one])
    else members.push(one)
  }
  return groups
}

const conditionOf = ({ actors, nodes }: World, node: string, facts: ClusterFacts | null): Condition => {
  const state = actors.get(`${node} node`)?.state ?? ''
  const verdict = nodes.get(node)?.verdict
  if (state === 'stopped' || state === 'failed') return 'stopped'
  if (verdict === 'dead' || verdict === 'left') return 'dead'
  if (verdict === 'suspect') return 'suspect'
  if (facts?.missing.includes(node) === true) return 'silent'
  if (state.startsWith('draining') || facts?.nodes.find(({ id }) => id === node)?.state === 'draining') return 'draining'
  return ['booting', 'recovering', 'joining'].includes(state) ? 'starting' : 'serving'
}

interface Surroundings {
  readonly members: readonly ActorNow[]
  readonly view: ShardView | undefined
  readonly isGone: (node: string) => boolean
  /** Of every node. */
  readonly names: readonly string[]
}

const shardMark = (shard: number, { members, view, isGone, names: everyNode }: Surroundings): ShardMark => {
  const here = members.filter(({ node }) => !isGone(node))
  const leaders = here.filter(({ state }) => state.startsWith('leader')).toSorted((a, b) => b.term - a.term)
  const term = Math.max(0, ...members.map((one) => one.term))
  const [first] = leaders
  // A leader of an older term has not heard yet that it is none.
  const leader = first !== undefined && !here.some((one) => one.term > first.term && !one.state.startsWith('pre')) ? first.node : null
  const wanted = view?.replicas.map((replica) => replica.split(':')[0] ?? replica) ?? []
  const names = [...new Set([...wanted, ...members.map(({ node }) => node)])].sort(byName)
  const replicas = names.map((node): ReplicaMark => {
    const member = members.find((one) => one.node === node)
    if (member === undefined || isGone(node)) return { node, role: 'unknown', state: member?.state ?? '', term: member?.term ?? 0 }
    const role = roleOf(member.state)
    return { node, role: role === 'leader' && node !== leader ? 'follower' : role, state: member.state, term: member.term }
  })
  const homes = view === undefined ? everyNode : wanted
  const isLeaderless = leader === null && homes.every((node) => isGone(node) || members.some((one) => one.node === node))
  return { shard, leader, isLeaderless, term, replicas, move: view?.move ?? null }
}

const roleOf = (state: string): ReplicaRole => {
  const [head = ''] = state.split('.')
  switch (head) {
    case 'leader': case 'follower': case 'candidate': case 'learner': case 'halted': case 'starting': return head
    case 'preCandidate': return 'candidate'
    default: return 'unknown'
  }
}
