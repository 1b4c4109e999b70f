/** How the cluster is, in a sentence, and what is wrong, each with its reason in words: the worst first. */

import type { ClusterFacts, NodeMark, Picture } from './picture.ts'

export type Level = 'bad' | 'warn' | 'note'

export interface Reason {
  readonly level: Level
  readonly text: string
}

export interface Health {
  readonly level: Level | 'good'
  readonly headline: string
  readonly reasons: readonly Reason[]
}

export const healthOf = (picture: Picture, facts: ClusterFacts | null): Health => {
  const reasons = [...shardReasons(picture), ...picture.nodes.flatMap(nodeReasons), ...factReasons(facts)]
    .toSorted((a, b) => order.indexOf(a.level) - order.indexOf(b.level))
  const level = reasons.find((reason) => reason.level !== 'note')?.level ?? 'good'
  return { level, headline: headlineOf(level, picture), reasons }
}

const order: readonly Level[] = ['bad', 'warn', 'note']

const headlineOf = (level: Level | 'good', { nodes, shards }: Picture): string => {
  const there = nodes.filter(({ condition }) => condition === 'serving').length
  const led = shards.filter(({ isLeaderless }) => !isLeaderless).length
  if (shards.length === 0) return 'No shard has been seen yet.'
  if (level === 'bad') return `${shards.length - led} of ${counted(shards.length, 'shard')} can not be written.`
  if (level === 'warn') return `Every shard is served, with less to spare: ${there} of ${counted(nodes.length, 'node')} serve.`
  return `All is well: ${counted(nodes.length, 'node')}, ${counted(shards.length, 'shard')}, each with a leader.`
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

const shardReasons = ({ shards }: Picture): readonly Reason[] => {
  const leaderless = shards.filter(({ isLeaderless }) => isLeaderless).map(({ shard }) => shard)
  const halted = shards.flatMap(({ shard, replicas }) =>
    replicas.filter(({ role }) => role === 'halted').map(({ node }) => `${shard} on ${node}`))
  return [
    ...(leaderless.length === 0 ? [] : [{
      level: 'bad' as const,
      text: `${leaderless.length === 1 ? 'Shard' : 'Shards'} ${listed(leaderless)} ${leaderless.length === 1 ? 'has' : 'have'} no leader: `
        + 'writes wait until an election is won, which needs a majority of the replicas.',
    }]),
    ...halted.map((where) => ({
      level: 'warn' as const, text: `The replica of shard ${where} is quarantined: it takes no part until it is replaced.`,
    })),
  ]
}

const LISTED_MAX = 8

const listed = (numbers: readonly number[]): string =>
  `${numbers.slice(0, LISTED_MAX).join(', ')}${numbers.length > LISTED_MAX ? ` and ${numbers.length - LISTED_MAX} more` : ''}`

const nodeReasons = ({ node, condition }: NodeMark): readonly Reason[] => {
  switch (condition) {
    case 'serving': return []
    case 'starting': return [{ level: 'note', text: `${node} is starting: its replicas catch up.` }]
    case 'draining': return [{ level: 'note', text: `${node} is draining: it gives its shards away.` }]
    case 'suspect': return [{ level: 'warn', text: `${node} is suspected: it does not answer probes. It may be slow, or gone.` }]
    case 'dead': return [{ level: 'warn', text: `${node} is held for dead by the others: its shards are led elsewhere.` }]
    case 'silent': return [{ level: 'warn', text: `${node} does not answer questions about its actors.` }]
    case 'stopped': return [{ level: 'warn', text: `${node} has stopped.` }]
    // Only a simulator knows these.
    case 'paused': case 'cut': return []
  }
  condition satisfies never
  return []
}

const factReasons = (facts: ClusterFacts | null): readonly Reason[] => {
  if (facts === null) return []
  const { cluster, moves, warnings } = facts
  return [
    ...facts.nodes.filter(({ isLost }) => isLost).map(({ id }) => ({
      level: 'warn' as const, text: `${id} has been silent for longer than the cluster waits: its replicas are rebuilt elsewhere.`,
    })),
    ...(cluster.isPaused ? [{ level: 'note' as const, text: 'Moves are paused: nothing begins by itself.' }] : []),
    ...(moves.length === 0 ? [] : [{ level: 'note' as const, text: `${counted(moves.length, 'move')} under way.` }]),
    ...(cluster.consistency === 'local' ? [{
      level: 'warn' as const, text: 'The meta group\'s leader can not be reached: membership is shown as this node last knew it.',
    }] : []),
    ...warnings.map((text) => ({ level: 'note' as const, text })),
  ]
}
