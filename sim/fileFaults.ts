/**
 * What befalls the files that a node keeps beside its log, while it is down: the file of the cluster's map is lost or damaged, of one node
 * or of several at once, and the file of a snapshot is lost. And what befalls snapshots while their node lives, which has verified them
 * and does not look again until somebody needs them. Each drawn from a stream of its own (faults.ts).
 *
 * Which maps may be lost: mapKeepers.ts.
 *
 * Not here: `genesis.json`, without which a node refuses to start (storage/genesis.ts), and which the simulator hands to every node; and
 * files that are being written or received, which no start reads.
 */

import { between, chance, pick, shuffle } from '../actors/kernel/random.ts'
import { harm, mayDamage } from './atlas.ts'
import { damage } from './diskFaults.ts'
import { say } from './faultContext.ts'
import { findsItself, mayLoseMaps } from './mapKeepers.ts'
import type { Machine } from './cluster.ts'
import type { FileFaultKind } from './drawnApart.ts'
import type { FaultAction, FaultContext, Range } from './faultContext.ts'

/** Long enough for the map to become another one now and then. */
const AWAY_MS: Range = [50, 8_000]

/** It has a file: without one in force there is none. */
const hasMapFile = ({ node }: Machine): boolean => (node?.parts()?.live.state().epoch ?? 1) > 1

const strike = (context: FaultContext, kind: FileFaultKind, victims: readonly Machine[]): void => {
  const { cluster, random } = context
  for (const victim of victims) {
    if (chance(random, 0.5)) cluster.kill(victim)
    else cluster.losePower(victim)
    const place = kind === 'mapDamaged' ? spoil(context, victim) : victim.disk.lose('map')
    if (place !== null) {
      victim.mapLeft = null
      say(context, kind, `${victim.id} ${place}`)
    }
    context.restart(victim, between(random, ...AWAY_MS))
  }
}

const spoil = ({ random }: FaultContext, { disk }: Machine): string | null => {
  const how = between(random, 0, 2)
  return how === 0 ? disk.flipBit('map') : how === 1 ? disk.zeroSector('map') : disk.zeroTail('map')
}

const ofOne = (kind: FileFaultKind): FaultAction => (context, machine) => {
  const { cluster, newestMap } = context
  if (hasMapFile(machine) && mayLoseMaps(cluster.machines, newestMap(), [machine])) strike(context, kind, [machine])
}

/** As many as may be, by chance of whoever comes first. */
const mapsLost: FaultAction = (context) => {
  const { cluster, newestMap, random } = context
  const able = shuffle(random, cluster.machines.filter(hasMapFile))
  const victims = able.slice(0, between(random, 2, Math.max(2, able.length))).reduce<readonly Machine[]>((chosen, machine) =>
    (mayLoseMaps(cluster.machines, newestMap(), [...chosen, machine]) ? [...chosen, machine] : chosen), [])
  strike(context, 'mapsLost', victims)
}

/** It is to be sent, or to be started from, one day: its bytes are others by then, or fewer, or none. */
export const snapshotRot: FaultAction = (context, machine) => {
  const { cluster, newestMap, random } = context
  const newest = newestMap()
  if (cluster.isThinned || !mayDamage(cluster.machines, newest, machine) || !findsItself(cluster.machines, newest, machine)) return
  const { flipBit, zeroSector, zeroTail, cutShort, lose } = machine.disk
  const place = pick(random, [flipBit, zeroSector, zeroTail, cutShort, lose])?.('snapshot') ?? null
  if (place === null) return
  harm(machine, newest, place)
  say(context, 'snapshotRot', `${machine.id} ${place}`)
}

export const fileFaults: Readonly<Record<FileFaultKind, FaultAction>> = {
  mapLost: ofOne('mapLost'),
  mapDamaged: ofOne('mapDamaged'),
  mapsLost,
  snapshotLost: damage('snapshotLost', (disk) => disk.lose('snapshot')),
}
