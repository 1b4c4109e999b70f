/** A simulated cluster as the ring draws it, and how it is in words. It is shown as it is, which none of its nodes knows. */

import type { GroupSeen, MachineSeen, ReplicaSeen, Scene } from '../simulator/protocol.ts'
import type { Health } from './health.ts'
import type { Condition, Picture, ReplicaMark, ReplicaRole, ShardMark } from './picture.ts'

export const pictureOfScene = ({ machines, groups }: Scene): Picture => {
  const shards = groups.map(shardMark)
  return {
    shards,
    nodes: machines.filter(isMember).map((machine) => ({
      node: machine.node, condition: conditionOf(machine), zone: '',
      leads: shards.filter(({ leader }) => leader === machine.node).length,
      replicas: groups.filter(({ replicas }) => replicas.some(({ node }) => node === machine.node)).length,
    })),
  }
}

/** Machines that nobody uses have no place in the ring. */
export const isMember = ({ condition }: MachineSeen): boolean => condition !== 'unused' && condition !== 'left'

export const conditionOf = ({ condition, isCut, suspectedBy }: MachineSeen): Condition => {
  switch (condition) {
    case 'paused': case 'dead': case 'draining': case 'starting': return isCut && condition !== 'dead' ? 'cut' : condition
    case 'unused': case 'left': return 'stopped'
    case 'running': return isCut ? 'cut' : suspectedBy.length > 0 ? 'suspect' : 'serving'
  }
}

const shardMark = ({ shard, leader, term, replicas, move }: GroupSeen): ShardMark => ({
  shard, leader, isLeaderless: leader === null, term, move, replicas: replicas.map(replicaMark),
})

const replicaMark = ({ node, role, term }: ReplicaSeen): ReplicaMark => ({ node, role: roles[role], state: words[role], term })

const roles: Readonly<Record<ReplicaSeen['role'], ReplicaRole>> = {
  learner: 'learner', follower: 'follower', preCandidate: 'candidate', candidate: 'candidate', leader: 'leader', halted: 'halted',
  away: 'unknown',
}

const words: Readonly<Record<ReplicaSeen['role'], string>> = {
  learner: 'learns', follower: 'follows', preCandidate: 'asks whether it could win', candidate: 'stands for election', leader: 'leads',
  halted: 'halted', away: 'away',
}

export const wordsOfScene = (scene: Scene): Health => {
  const { violation, phase, groups, machines } = scene
  if (violation !== null) {
    return { level: 'bad', headline: `This does not hold: ${violation.invariant}`, reasons: [{ level: 'bad', text: violation.text }] }
  }
  if (phase === 'ended') return { level: 'good', headline: 'The run is over: every invariant held, and the books agree', reasons: [] }
  const leaderless = groups.filter(({ leader }) => leader === null).map(({ shard }) => shard)
  const reasons = [...machines.flatMap(machineWords), ...groups.flatMap(groupWords)].map((text) => ({ level: 'warn' as const, text }))
  const healing = phase === 'healing' ? 'Everything heals; ' : ''
  if (leaderless.length > 0) {
    const isAll = leaderless.length === groups.length && groups.length > 1
    const which = isAll ? 'no shard has a leader' : `${shardsWords(leaderless)} no leader`
    return { level: 'bad', headline: capital(`${healing}${which}`), reasons }
  }
  const headline = groups.length === 1
    ? `Shard 0 is led by ${groups[0]?.leader ?? ''} in term ${groups[0]?.term ?? 0}`
    : `${groups.length === 2 ? 'Both' : `All ${groups.length}`} shards have a leader`
  const whole = healing === '' ? headline : `${healing}${lower(headline)}`
  return { level: reasons.length > 0 ? 'warn' : 'good', headline: capital(whole), reasons }
}

const shardsWords = (shards: readonly number[]): string =>
  (shards.length === 1 ? `shard ${shards[0]} has` : `shards ${shards.join(', ')} have`)

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)
const lower = (text: string): string => text.slice(0, 1).toLowerCase() + text.slice(1)

const machineWords = ({ node, condition, isCut, suspectedBy, buriedBy }: MachineSeen): readonly string[] => {
  if (condition === 'unused' || condition === 'left') return []
  const is = [
    ...({ dead: ['is dead'], paused: ['stands still'], draining: ['is drained'], starting: ['starts'], running: [] })[condition],
    ...(isCut ? ['is cut off'] : []),
  ]
  const said = [
    ...(suspectedBy.length > 0 ? [`${names(suspectedBy)} ${suspectedBy.length === 1 ? 'suspects' : 'suspect'} it`] : []),
    ...(buriedBy.length > 0 ? [`${names(buriedBy)} ${buriedBy.length === 1 ? 'takes' : 'take'} it for dead`] : []),
  ]
  if (is.length === 0 && said.length === 0) return []
  return [`${node} ${is.length === 0 ? 'is there' : is.join(' and ')}${said.length === 0 ? '' : `; ${said.join(', ')}`}`]
}

/** Whoever leads an older term has not heard yet that it leads no more; what moves is on its way. */
const groupWords = ({ shard, leader, term, replicas, move }: GroupSeen): readonly string[] => [
  ...replicas.filter(({ node, role }) => role === 'leader' && node !== leader)
    .map((replica) =>
      `${replica.node} still believes that it leads shard ${shard}, in term ${replica.term}; ${leader ?? ''} leads in term ${term}`),
  ...(move === null ? [] : [`shard ${shard} moves: ${[
    ...(move.add === null ? [] : [`${home(move.add)} comes`]), ...(move.remove === null ? [] : [`${home(move.remove)} goes`]),
  ].join(', ')} (${move.step})`]),
]

const home = (replica: string): string => replica.split(':')[0] ?? replica

const names = (all: readonly string[]): string =>
  (all.length < 2 ? all.join('') : `${all.slice(0, -1).join(', ')} and ${all.at(-1) ?? ''}`)
