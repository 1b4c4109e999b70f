/** Members of groups that come and go: as leaders have their configurations, and as the committed cluster maps order it. */

import { groupsOf, hostedOn, placementOf } from '../../actors/topology/clusterState.ts'
import { nodeId } from '../../topology/ids.ts'
import { defineSubject, isSameLife } from './mark.ts'
import type { ClusterState, GroupKey, Move, Placement } from '../../actors/topology/clusterState.ts'
import type { Columns } from '../trace.ts'
import type { ReplicaView } from '../view.ts'

export const members = defineSubject('members', [
  'a learner was promoted',
  'a joint phase was entered',
  'a joint phase was left',
  'a joint phase was left by another leader than entered it',
  'a leader that was no voter any more stepped down',
  'a move was carried out',
  'a move was undone',
  'a move had been carried out before it could be undone',
  'the meta group changed its members',
  'a disk was lost with everything on it',
  'the replicas of a lost disk were rebuilt elsewhere',
  'a node whose disk had been lost joined again under its name',
  'a node came back after all its replicas had been replaced',
], (hit) => {
  /** Who entered the joint phase of a group's configuration, by its epoch. */
  const entered = new Map<string, string>()
  const lost = new Set<string>()
  /** Nodes that have had replicas. */
  const hosts = new Set<string>()
  let newest: ClusterState | null = null

  const onJoint = (view: ReplicaView, before: ReplicaView): void => {
    const key = ({ shard, configuration: { epoch } }: ReplicaView): string => `${shard} ${epoch}`
    const [now, was] = [view.configuration.outgoing.length > 0, before.configuration.outgoing.length > 0]
    if (now && !was) {
      hit('a joint phase was entered')
      entered.set(key(view), view.id)
    }
    if (!was || now) return
    hit('a joint phase was left')
    if ((entered.get(key(before)) ?? view.id) !== view.id) hit('a joint phase was left by another leader than entered it')
  }
  const onLeading = (view: ReplicaView, before: ReplicaView): void => {
    const [now, was] = [view.configuration, before.configuration]
    if (was.learners.some((learner) => now.voters.includes(learner))) hit('a learner was promoted')
    onJoint(view, before)
  }
  const onMove = (group: GroupKey, { add, step }: Move, { replicas }: Placement): void => {
    const isThere = add === null || replicas.includes(add)
    if (step === 'undoing') hit(isThere ? 'a move had been carried out before it could be undone' : 'a move was undone')
    else if (isThere) hit('a move was carried out')
    if (group === 'meta' && isThere) hit('the meta group changed its members')
  }
  const onMachine = ({ who, details }: Columns): void => {
    if (!details.startsWith('starts') || details === 'starts, life 1' || newest === null || lost.has(who)) return
    const id = nodeId(who)
    const isMember = newest.nodes.some((node) => node.id === id && node.state !== 'left')
    if (isMember && hosts.has(who) && hostedOn(newest, id).length === 0) hit('a node came back after all its replicas had been replaced')
  }
  return {
    onView: (view, before) => {
      if (!isSameLife(view, before) || before.role !== 'leader') return
      if (view.role === 'leader') onLeading(view, before)
      else if (view.term === before.term && !before.configuration.voters.includes(view.id)) {
        hit('a leader that was no voter any more stepped down')
      }
    },
    onMap: (state, before) => {
      newest = state
      for (const { id } of before.nodes) if (hostedOn(before, id).length > 0) hosts.add(id)
      for (const group of groupsOf(state)) {
        const [now, was] = [placementOf(state, group), placementOf(before, group)]
        if (was !== undefined && was.move !== null && now?.move === null) onMove(group, was.move, now)
      }
      for (const id of lost) if (hostedOn(state, nodeId(id)).length === 0) hit('the replicas of a lost disk were rebuilt elsewhere')
    },
    onLine: (line) => {
      if (line.what === 'machine') onMachine(line)
      if (line.what !== 'fault') return
      const [kind, node = ''] = line.details.split(' ')
      if (kind === 'wipe') {
        hit('a disk was lost with everything on it')
        lost.add(node)
      }
      if (kind === 'newcomer') {
        hit('a node whose disk had been lost joined again under its name')
        lost.delete(node)
      }
    },
  }
})
