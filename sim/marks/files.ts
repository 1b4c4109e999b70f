/** Files beside the log that a node loses, and what it makes of the cluster's map then. */

import { hostedOn } from '../../actors/topology/clusterState.ts'
import { generationOf, nodeId } from '../../topology/ids.ts'
import { defineSubject } from './mark.ts'
import type { ClusterState } from '../../actors/topology/clusterState.ts'

const EPOCH = /^a newer cluster map is in force epoch=(\d+)/
const mapKinds: ReadonlySet<string> = new Set(['mapLost', 'mapDamaged', 'mapsLost'])

export const files = defineSubject('files beside the log', [
  'the file of a cluster map was lost',
  'the file of a cluster map was damaged, and not used',
  'several nodes lost their cluster maps at once',
  'a node that had lost its cluster map was told an old one first',
  'a node that had lost its cluster map was told one that is older than a replica of its own',
  'a node that had lost its cluster map had the newest again',
  'the file of a snapshot was lost',
  'a snapshot rotted while its node lived',
], (hit, { now }) => {
  /** Who has lost its map, and the epoch of the newest there was. */
  const lost = new Map<string, number>()
  /** Of each epoch. */
  const nextGenerations = new Map<number, number>()
  let newest: ClusterState | null = null
  let struck = { at: -1, node: '' }

  const onFault = (kind: string, node: string): void => {
    if (kind === 'snapshotLost') hit('the file of a snapshot was lost')
    if (kind === 'snapshotRot') hit('a snapshot rotted while its node lived')
    if (!mapKinds.has(kind)) return
    if (kind !== 'mapDamaged') hit('the file of a cluster map was lost')
    if (struck.at === now() && struck.node !== node) hit('several nodes lost their cluster maps at once')
    struck = { at: now(), node }
    lost.set(node, newest?.epoch ?? 1)
  }
  const onMapInForce = (node: string, epoch: number): void => {
    const due = lost.get(node)
    if (due === undefined || newest === null) return
    if (epoch >= due) {
      lost.delete(node)
      hit('a node that had lost its cluster map had the newest again')
      return
    }
    hit('a node that had lost its cluster map was told an old one first')
    const unknownFrom = nextGenerations.get(epoch) ?? Number.POSITIVE_INFINITY
    const isNewer = hostedOn(newest, nodeId(node)).some(({ replica }) => generationOf(replica) >= unknownFrom)
    if (isNewer) hit('a node that had lost its cluster map was told one that is older than a replica of its own')
  }
  return {
    onMap: (state) => {
      newest = state
      nextGenerations.set(state.epoch, state.nextGeneration)
    },
    onLine: ({ who, what, details }) => {
      if (what === 'fault') {
        const [kind = '', node = ''] = details.split(' ')
        onFault(kind, node)
      }
      if (details.startsWith('WARN the file of the cluster map is not used')) hit('the file of a cluster map was damaged, and not used')
      const epoch = EPOCH.exec(details)?.[1]
      if (epoch !== undefined) onMapInForce(who, Number(epoch))
    },
  }
})
