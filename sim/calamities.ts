/**
 * What is seldom and severe, drawn from a stream of its own (faults.ts): power that goes just when much has been written, a process that
 * stands still for many seconds, a machine that is away for longer than it is waited for, a disk that is lost with everything on it,
 * and files that end in zeros.
 *
 * A lost disk: the node can not come back under its name, which is a member's (topology/joinCluster.ts). Its replicas are rebuilt
 * elsewhere; somebody then removes the name, and the machine joins as a new one does: with the cluster's map in its directory, and
 * nothing else.
 */

import { between } from '../actors/kernel/random.ts'
import { encodeState } from '../actors/topology/codec.ts'
import { hostedOn, nodeIn } from '../actors/topology/clusterState.ts'
import { writeMapFile } from '../storage/mapFile.ts'
import { createMemoryFileSystem } from '../storage/memoryFileSystem.ts'
import { SECTOR_BYTES } from '../storage/memoryInode.ts'
import { harm, mayDamage } from './atlas.ts'
import { zeroTail } from './diskFaults.ts'
import { say } from './faultContext.ts'
import { findsItself } from './mapKeepers.ts'
import { ask } from './mapFaults.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { DiskImage } from '../storage/memoryFileSystem.ts'
import type { CalamityKind } from './drawnApart.ts'
import type { FaultAction, FaultContext, Range } from './faultContext.ts'
import type { Machine } from './cluster.ts'

const BEHIND_MS: Range = [50, 800]
/** A write of fewer sectors can hardly be torn. */
const TORN_SECTORS_MIN = 3
const PAUSE_MS: Range = [10_000, 20_000]
/** Beyond the time a silent node is waited for. */
const AWAY_MS: Range = [2_000, 8_000]
const TRY_AGAIN_MS = 500

/** The disk falls behind, much gathers meanwhile, and the power goes when it has been written and before it is synced. */
const tornPowerLoss: FaultAction = (context, machine) => {
  const { random, timeline, cluster } = context
  const { process, disk } = machine
  const ms = between(random, ...BEHIND_MS)
  say(context, 'tornPowerLoss', `${machine.id} once it has written much`)
  disk.stallUntil(timeline.now() + ms)
  disk.onceWritten(TORN_SECTORS_MIN * SECTOR_BYTES, () => {
    if (!context.isActive() || machine.node === null || machine.process !== process) return
    cluster.losePower(machine, 'torn')
    context.restart(machine)
  })
}

const longPause: FaultAction = (context, machine) => {
  const { random, cluster, timeline } = context
  const { process } = machine
  const ms = between(random, ...PAUSE_MS)
  say(context, 'longPause', `${machine.id} for ${ms} ms`)
  cluster.pause(machine)
  timeline.schedule(ms, () => {
    if (machine.process === process) cluster.resume(machine)
  })
}

/** Away for longer than it is waited for, and back with its disk: what was rebuilt elsewhere is no longer its own. */
const longCrash: FaultAction = (context, machine) => {
  const ms = context.lostAfterMs + between(context.random, ...AWAY_MS)
  say(context, 'longCrash', `${machine.id} for ${ms} ms`)
  context.cluster.kill(machine)
  context.restart(machine, ms)
}

/** Only where every group keeps a majority of good disks without it, as for damage (atlas.ts). */
const wipe: FaultAction = (context, machine) => {
  const { cluster, newestMap } = context
  if (cluster.isThinned || !machine.isInUse || !mayDamage(cluster.machines, newestMap(), machine)) return
  if (!findsItself(cluster.machines, newestMap(), machine)) return
  say(context, 'wipe', machine.id)
  cluster.kill(machine)
  machine.disk.wiped()
  machine.isInUse = false
  machine.isLost = true
  machine.mapLeft = null
  harm(machine, newestMap())
  comeBack(context, machine)
}

const comeBack = (context: FaultContext, machine: Machine): void => {
  const { timeline, cluster, newestMap } = context
  timeline.schedule(TRY_AGAIN_MS, () => {
    if (!context.isActive()) return
    const state = newestMap()
    if ((nodeIn(state, machine.id)?.state ?? 'left') === 'left') {
      say(context, 'newcomer', `${machine.id} joins again with an empty disk`)
      machine.disk.restore(joined(state))
      machine.mapLeft = state
      machine.hasJoined = true
      machine.isLost = false
      cluster.join(machine)
      return
    }
    const other = cluster.machines.find(({ node }) => node !== null)
    if (other !== undefined && hostedOn(state, machine.id).length === 0) {
      ask(context, other, () => ({ kind: 'removeNode', node: machine.id }))
    }
    comeBack(context, machine)
  })
}

/** What `shardkv node --join` puts into an empty directory, but for the genesis, which the simulator hands to every node. */
const joined = (state: ClusterState): DiskImage => {
  const due: (() => void)[] = []
  const fileSystem = createMemoryFileSystem({ schedule: (fn) => { due.push(fn) } })
  writeMapFile(fileSystem, encodeState({ ...state, history: [] }), () => {})
  for (let next = due.shift(); next !== undefined; next = due.shift()) next()
  return fileSystem.image()
}

export const calamities: Readonly<Record<CalamityKind, FaultAction>> = { tornPowerLoss, longPause, longCrash, wipe, zeroTail }
