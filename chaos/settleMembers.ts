/**
 * When all is calm, moves come to their end: whoever was to leave has left, every shard has all of its replicas where the map says and
 * nowhere else, and nothing is left to do.
 */

import { setTimeout as pause } from 'node:timers/promises'
import type { NodesAnswer, PlanAnswer, ShardsAnswer } from '../gateway/admin/views.ts'
import type { NodeReport, ReplicaReport } from '../topology/report.ts'
import type { Roster } from './ground/roster.ts'
import type { TestCluster } from './ground/cluster.ts'

export interface Settled {
  readonly problems: readonly string[]
  readonly tookMs: number
}

export interface Standing {
  readonly roster: Pick<Roster, 'members' | 'leaving'>
  readonly plan: PlanAnswer
  readonly nodes: NodesAnswer
  readonly shards: ShardsAnswer
  readonly reports: readonly NodeReport[]
}

const WITHIN_MS = 120_000
const POLL_MS = 250
const DECIDED_WITHIN_MS = 10_000
const REPLICAS = 3

export const settleMembers = async (cluster: TestCluster): Promise<Settled> => {
  const since = performance.now()
  const tookMs = (): number => performance.now() - since
  // A drain that nobody confirmed may never have been decided.
  for (const node of cluster.roster.leaving.slice()) await cluster.admin.drain(node, DECIDED_WITHIN_MS)
  for (;;) {
    const problems = await look(cluster)
    if (problems.length === 0) return { problems, tookMs: tookMs() }
    if (tookMs() > WITHIN_MS) {
      return { problems: problems.map((problem) => `${WITHIN_MS} ms after the storm: ${problem}`), tookMs: tookMs() }
    }
    await pause(POLL_MS)
  }
}

const look = async ({ admin, roster, reports }: TestCluster): Promise<readonly string[]> => {
  const [plan, nodes, shards, found] = await Promise.all([admin.plan(), admin.nodes(), admin.shards(), reports()])
  if (plan === null || nodes === null || shards === null) return ['no node says how the cluster stands']
  return membershipProblems({ roster, plan, nodes, shards, reports: found })
}

/** One sentence each. */
export const membershipProblems = ({ roster, plan, nodes, shards, reports }: Standing): readonly string[] => [
  ...roster.leaving.map((node) => `${node} has not left`),
  ...planProblems(plan),
  ...nodes.nodes.flatMap(({ id, state, isLost }) => {
    const isWanted = roster.members.some((node) => node === id)
    if (state !== (isWanted ? 'active' : 'left')) return [`${id} is ${state}`]
    return isWanted && isLost ? [`${id} counts as lost`] : []
  }),
  ...shards.shards.flatMap((shard) => shardProblems(shard, { reports, count: Math.min(REPLICAS, roster.members.length) })),
]

const planProblems = ({ moves, underWay, cancels, preferences, blocked, consistency }: PlanAnswer): readonly string[] => {
  if (consistency !== 'linearizable') return ['no leader of the meta group answers']
  const rest = moves.length + underWay + cancels.length + preferences.length + blocked.length
  return rest === 0 ? [] : [`the plan is not empty: ${JSON.stringify({ moves, underWay, cancels, preferences, blocked })}`]
}

interface Expected {
  readonly reports: readonly NodeReport[]
  readonly count: number
}

const shardProblems = ({ shard, replicas }: ShardsAnswer['shards'][number], { reports, count }: Expected): readonly string[] => {
  if (replicas.length !== count) return [`shard ${shard} has ${replicas.length} replicas, not ${count}: ${replicas.join(' ')}`]
  const places = replicas.map((id) => id.slice(0, id.indexOf(':'))).toSorted().join(' ')
  const hosted = reports.flatMap((report) =>
    report.replicas.filter((replica) => replica.shard === shard).map((replica) => ({ node: report.node.id, replica })))
  const voting = hosted.filter(({ replica }) => isVoting(replica)).map(({ node }) => node).toSorted().join(' ')
  if (voting !== places || hosted.length !== count) {
    return [`shard ${shard} belongs to ${places}, votes on ${voting}, and has ${hosted.length} replicas`]
  }
  const leader = hosted.find(({ replica }) => replica.state === 'leading.serving')?.replica
  const configured = Object.keys(leader?.matchIndex ?? {}).toSorted().join(' ')
  return configured === places ? [] : [`the leader of shard ${shard} has the members ${configured}, the map ${places}`]
}

const isVoting = ({ role, quarantined }: ReplicaReport): boolean => role !== 'learner' && quarantined === undefined
