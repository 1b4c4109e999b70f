/** What the doctor says about the shards: leaders, damage, and replicas that do not keep up. */

import { isUntold, mergeReports } from '../status/merge.ts'
import { note, ok, problem } from './finding.ts'
import type { ClusterStatus } from '../status/merge.ts'
import type { TimedReport } from '../status/collect.ts'
import type { Evidence } from './evidence.ts'
import type { Finding } from './finding.ts'

/** Of the busiest node to what would be even. */
const LEADERS_UNEVEN = 2

export const checkShards = ({ first, second }: Evidence): readonly Finding[] => {
  const before = merged(first)
  const after = merged(second)
  if (after === undefined) return []
  const lag = before === undefined ? [] : [checkLag(before, after)]
  return [...checkAnswers(after), checkLeaders(after), checkDamage(after), ...checkCopies(after), ...lag]
}

const merged = (reports: readonly TimedReport[]): ClusterStatus | undefined => mergeReports(reports.map(({ report }) => report))

const checkAnswers = ({ shortened }: ClusterStatus): readonly Finding[] => {
  if (shortened.length === 0) return []
  return [note('answers', `those of ${shortened.join(', ')} are larger than the broker takes: not all replicas are told`,
    'raise the broker\'s max_payload')]
}

const checkLeaders = (status: ClusterStatus): Finding => {
  const { nodes } = status
  const shards = status.shards.filter((shard) => !isUntold(status, shard))
  const without = shards.filter(({ leader }) => leader === null).map(({ id }) => id)
  if (without.length > 0) {
    return problem('leaders', `none for ${without.length === 1 ? 'shard' : 'shards'} ${without.join(', ')}: requests there fail`,
      'an election takes a second; if it stays so, start the missing nodes: a majority of each shard\'s replicas must run')
  }
  const led = nodes.filter(({ pid }) => pid !== null)
    .map(({ id }) => ({ id, count: shards.filter(({ leader }) => leader === id).length }))
  const busiest = led.toSorted((a, b) => b.count - a.count)[0]
  const all = shards.length === status.shards.length ? 'every shard' : `each of the ${shards.length} shards that are told`
  const text = `${all} has one (${led.map(({ id, count }) => `${id} ${count}`).join(', ')})`
  const isUneven = busiest !== undefined && busiest.count > Math.ceil(shards.length / led.length) * LEADERS_UNEVEN
  return isUneven ? note('leaders', `${text}: unevenly`, 'they move back by themselves within a minute') : ok('leaders', text)
}

const checkDamage = ({ shards }: ClusterStatus): Finding => {
  const found = shards.flatMap(({ id, replicas }) => replicas.flatMap(({ node, quarantined }) =>
    (quarantined === undefined ? [] : [`shard ${id} on ${node}: ${quarantined}`])))
  if (found.length === 0) return ok('replicas', 'none is quarantined')
  return problem('replicas', found.join('; '),
    'wait while "shardkv moves" shows replacements; if none comes, or damage comes back there: docs/OPERATIONS.md, "Damaged replicas"')
}

/** Known where every node has told all of its replicas. A node alone can have no more: nothing to tell. */
const checkCopies = ({ nodes, shards, shortened }: ClusterStatus): readonly Finding[] => {
  if (nodes.length === 1 || shortened.length > 0 || nodes.some(({ pid }) => pid === null)) return []
  const lone = shards.filter(({ replicas }) => replicas.length === 1)
  if (lone.length === 0) return []
  const which = lone.length === shards.length ? 'every shard has' : `${lone.length} of ${shards.length} shards have`
  return [note('copies', `${which} one replica: a lost disk loses them, and a node that is down takes them along`,
    'ask for three: "shardkv cluster replicas 3", with three nodes at least')]
}

/** Under load a follower is always a little behind. It is late when, a second later, it has not yet reached where its leader had been. */
const checkLag = (before: ClusterStatus, after: ClusterStatus): Finding => {
  const late = after.shards.flatMap(({ id, replicas, commitIndex }) => replicas.flatMap(({ node, matchIndex }) => {
    const wanted = before.shards[id]?.commitIndex ?? 0
    return matchIndex !== null && matchIndex < wanted ? [`shard ${id} on ${node}, ${commitIndex - matchIndex} entries`] : []
  }))
  if (late.length === 0) return ok('replication', 'every replica is less than a second behind its leader')
  return problem('replication', `behind by more than a second: ${late.join('; ')}`,
    'if the node answers, see its disk and its CPU in "shardkv top"')
}
