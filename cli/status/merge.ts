/**
 * Many nodes' reports as one picture of the cluster. A shard is described by the leader with the highest term among those that claim
 * it, since a deposed leader may not know yet; without one, by the best informed replica. Members that stayed silent are shown as
 * unreachable, not left out. Where a node's answer leaves replicas out (topology/statusAnswer.ts), those that follow say who leads.
 */

import { addressesIn } from '../../topology/addresses.ts'
import { FIRST_LEVEL } from '../../topology/level.ts'
import type { PeerState, PeerView } from '../../actors/gossip/protocol.ts'
import type { NodeAddresses } from '../../topology/addresses.ts'
import type { GossipReport, MemberPlace, NodeReport, ReplicaHealth, ReplicaReport, Routing } from '../../topology/report.ts'

export interface ClusterStatus {
  readonly cluster: string
  readonly epoch: number
  /** The layout level in force; null where nobody says. */
  readonly level: number | null
  /** What keeps the next one off, of the nodes whose build does not know it or that do not answer; empty where no build knows it. */
  readonly levelWaitsFor: readonly string[]
  readonly shardCount: number
  readonly broker: { readonly url: string; readonly version: string; readonly routing: Routing }
  readonly nodes: readonly NodeStatus[]
  /** What the newest map says of the nodes; empty where nobody says. */
  readonly places: readonly MemberPlace[]
  /** The nodes whose answers leave replicas out, since the broker takes no larger ones. */
  readonly shortened: readonly string[]
  readonly shards: readonly ShardStatus[]
}

export interface NodeStatus {
  readonly id: string
  /** Null when the node did not answer. */
  readonly pid: number | null
  readonly state: string
  readonly bootId: string | null
  /** How its failure detector sees the others; null when it does not say. */
  readonly sees: Sees | null
  /** Where its process can be reached; null when it does not say. */
  readonly addresses: NodeAddresses | null
}

/** Names by what the node believes of them, each sorted as a person counts. */
export type Sees = Readonly<Record<PeerState, readonly string[]>>

export interface ReplicaStatus {
  readonly node: string
  /** As its node tells it; `unreachable` when that is silent, `untold` when its answer leaves the replica out. */
  readonly role: string
  /** What the leader knows to be durable there; null when no leader says. */
  readonly matchIndex: number | null
  readonly quarantined?: string
  readonly health?: ReplicaHealth
}

export interface ShardStatus {
  readonly id: number
  /** Null when no node that answered leads it; it may be one whose answer leaves it out when there are no `replicas` either. */
  readonly leader: string | null
  readonly term: number
  readonly commitIndex: number
  readonly appliedIndex: number
  readonly replicas: readonly ReplicaStatus[]
}

interface Placed {
  readonly node: string
  readonly replica: ReplicaReport
}

/** Undefined when there are no reports. Of several clusters on one prefix the one with the most reports is shown. */
export const mergeReports = (all: readonly NodeReport[]): ClusterStatus | undefined => {
  const reports = largestCluster(all)
  const newest = reports.toSorted((a, b) => b.epoch - a.epoch)[0]
  if (newest === undefined) return undefined
  const shortened = reports.filter((report) => (report.shortened?.replicas ?? 0) > 0).map(({ node }) => node.id).toSorted(byNumber)
  const shards = Array.from({ length: newest.shardCount }, (_, id) => shardStatus(id, placedOf(reports, id), shortened))
  return {
    cluster: newest.cluster,
    epoch: newest.epoch,
    level: newest.level ?? null,
    levelWaitsFor: waitingFor(newest, reports),
    shardCount: newest.shardCount,
    broker: { ...newest.broker, routing: worstRouting(reports) },
    nodes: nodesOf(newest.members, reports),
    places: newest.places ?? [],
    shortened,
    shards,
  }
}

/** Nobody's answer had room for it. */
export const isUntold = ({ shortened }: ClusterStatus, { replicas }: ShardStatus): boolean => shortened.length > 0 && replicas.length === 0

const waitingFor = ({ level = FIRST_LEVEL, members }: NodeReport, reports: readonly NodeReport[]): readonly string[] => {
  const knows = (report: NodeReport): boolean => (report.node.levels?.max ?? FIRST_LEVEL) > level
  if (!reports.some(knows)) return []
  const knowing = new Set<string>(reports.filter(knows).map(({ node }) => node.id))
  return members.filter((node) => !knowing.has(node)).toSorted(byNumber)
}

const largestCluster = (all: readonly NodeReport[]): readonly NodeReport[] => {
  const byCluster = new Map<string, NodeReport[]>()
  for (const report of all) byCluster.set(report.cluster, [...byCluster.get(report.cluster) ?? [], report])
  return [...byCluster.values()].reduce<readonly NodeReport[]>((best, one) => (one.length > best.length ? one : best), [])
}

const nodesOf = (members: readonly string[], reports: readonly NodeReport[]): readonly NodeStatus[] => {
  const answered = new Map<string, NodeReport['node']>(reports.map(({ node }) => [node.id, node]))
  const gossip = new Map<string, GossipReport | undefined>(reports.map((report) => [report.node.id, report.gossip]))
  const ids = [...new Set([...members, ...answered.keys()])]
  return ids.toSorted(byNumber).map((id) => {
    const node = answered.get(id)
    return node === undefined
      ? { id, pid: null, state: 'unreachable', bootId: null, sees: null, addresses: null }
      : {
          id, pid: node.pid, state: node.state, bootId: node.bootId, sees: seesOf(gossip.get(id)),
          addresses: addressesIn(node.addresses) ?? null,
        }
  })
}

/** A node of an earlier version says nothing, and whoever answers in a node's place may say anything. */
const seesOf = (gossip: GossipReport | undefined): Sees | null => {
  if (!Array.isArray(gossip?.peers)) return null
  const peers = gossip.peers.filter((peer: unknown) => typeof (peer as Partial<PeerView> | null)?.node === 'string')
  const named = (state: PeerState): readonly string[] =>
    peers.filter((peer) => peer.state === state).map(({ node }) => node).toSorted(byNumber)
  return { alive: named('alive'), suspect: named('suspect'), dead: named('dead'), left: named('left') }
}

/** n2 before n10. */
export const byNumber = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true })

const placedOf = (reports: readonly NodeReport[], shard: number): readonly Placed[] => reports.flatMap(({ node, replicas }) =>
  replicas.filter((replica) => replica.shard === shard).map((replica) => ({ node: node.id, replica })))

const shardStatus = (id: number, placed: readonly Placed[], shortened: readonly string[]): ShardStatus => {
  const byTerm = placed.toSorted((a, b) => b.replica.term - a.replica.term || b.replica.commitIndex - a.replica.commitIndex)
  const leader = byTerm.find(({ replica }) => replica.role === 'leader')
  const best = leader ?? byTerm[0]
  const match = leader?.replica.matchIndex ?? {}
  const names = [...new Set([...placed.map(({ node }) => node), ...Object.keys(match).map(nodeName)])].toSorted(byNumber)
  return {
    id,
    leader: leader?.node ?? untoldLeader(placed, best?.replica.leader ?? '', shortened),
    term: best?.replica.term ?? 0,
    commitIndex: best?.replica.commitIndex ?? 0,
    appliedIndex: best?.replica.appliedIndex ?? 0,
    replicas: names.map((node) => {
      const own = placed.find((one) => one.node === node)?.replica
      const matchIndex = Object.entries(match).find(([name]) => nodeName(name) === node)?.[1] ?? null
      const base = { node, role: own === undefined && shortened.includes(node) ? 'untold' : roleOf(own, leader?.node === node), matchIndex }
      return { ...base, ...illnessOf(own) }
    }),
  }
}

/** The node that the best informed replica names, when that node has answered and left its own replica out. */
const untoldLeader = (placed: readonly Placed[], named: string, shortened: readonly string[]): string | null =>
  (shortened.includes(named) && !placed.some(({ node }) => node === named) ? named : null)

/** A node of an earlier version says only whether it is quarantined. */
const illnessOf = (replica: ReplicaReport | undefined): Pick<ReplicaStatus, 'quarantined' | 'health'> => {
  const { quarantined, health = quarantined === undefined ? undefined : 'quarantined' as const } = replica ?? {}
  return { ...(quarantined === undefined ? {} : { quarantined }), ...(health === undefined ? {} : { health }) }
}

/** A deposed leader that does not know it yet is not shown as a second leader. */
const roleOf = (replica: ReplicaReport | undefined, isLeader: boolean): string => {
  if (replica === undefined) return 'unreachable'
  return replica.role === 'leader' && !isLeader ? 'deposed' : replica.role
}

/** Leaders name replicas (`n1:1`) or nodes. */
const nodeName = (name: string): string => name.split(':')[0] ?? name

export const worstRouting = (reports: readonly NodeReport[]): Routing => {
  const seen = new Set(reports.map(({ broker }) => broker.routing))
  if (seen.has('mismatch')) return 'mismatch'
  return seen.has('gateway') ? 'gateway' : 'broker'
}
