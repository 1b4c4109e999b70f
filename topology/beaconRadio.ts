/**
 * Sends this node's beacon and hears the others' over the control connection (topology/beacon.ts says what they mean).
 *
 * A node whose data path is down says that it is mute, which counts as silence but for its name: it leads nothing, copies nothing and
 * acknowledges nothing, and who is silent is handed no leadership and is replaced in the end (topology/absences.ts).
 *
 * What a node says of itself counts when the own map names it. Which map it has is of interest whoever it is: it may be one of those that
 * joined while this node was away (topology/mapSync.ts). Whose process is heard for the first time, with an older one, is told
 * of this node's with the next tick: it may be one that was alone when its copy of the directory was made, and waits for that no longer
 * than a minimum election timeout (actors/raft/state.ts).
 */

import { decodeControl, encodeControl } from '../bus/codec/control.ts'
import { createRefusalLog } from '../bus/refusalLog.ts'
import { mapSubject, mapWildcard, senderOf } from '../bus/subjects.ts'
import { BEACON_INTERVAL_MS, beaconOf } from './beacon.ts'
import { isNodeId } from './ids.ts'
import { NODES_MAX } from '../actors/topology/clusterState.ts'
import type { Bus } from '../bus/port.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { Beacon, BeaconMessage } from './beacon.ts'
import type { BootId, ClusterId, NodeId } from './ids.ts'

/** Before strangers are complained of: one that joins speaks before the map names it, one that has left a little after. */
const STRANGERS_PATIENCE_MS = 10_000

export interface BeaconRadio {
  /** Called on every tick: sends when the interval has passed or something changed. */
  readonly onTick: (now: number) => void
  /** What this node leads has changed: tell the others with the next tick. */
  readonly changed: () => void
  /** Refused beacons, by reason. */
  readonly counters: () => Readonly<Record<string, number>>
  readonly stop: () => void
}

export interface BeaconRadioOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
  readonly cluster: ClusterId
  readonly self: NodeId
  readonly members: () => readonly NodeId[]
  readonly beacon: Beacon
  /** The cluster map that is in force at a node of this cluster, which the own map need not name. */
  readonly onEpoch: (from: NodeId, epoch: number) => void
  readonly message: () => BeaconMessage
  /** Of the map in force here, as in the message, which takes a walk over all shards to make. */
  readonly epoch: () => number
  /** Whether frames between nodes could leave now, as far as this node knows. */
  readonly hasDataPath: () => boolean
  /** An older process with this node's name has spoken, some time ago or now; `prefix`: which it serves, if it says so. */
  readonly onOlder: (boot: BootId, prefix: string | undefined) => void
}

export const createBeaconRadio = (options: BeaconRadioOptions): BeaconRadio => {
  const { bus, clock, cluster, self, members, beacon } = options
  const subject = mapSubject(cluster, self)
  let sentAt = Number.NEGATIVE_INFINITY
  let hasChanged = false
  /** By node the process that was told of this node's map. */
  const told = new Map<NodeId, BootId>()
  const isFirstOf = (from: NodeId, boot: BootId): boolean => {
    if (told.get(from) === boot) return false
    if (told.size >= NODES_MAX) told.clear()
    told.set(from, boot)
    return true
  }
  let wasMute = false
  let strangersSince = 0
  let strangerAt = Number.NEGATIVE_INFINITY
  const areStrangersSettled = (now: number): boolean => {
    if (now - strangerAt > STRANGERS_PATIENCE_MS) strangersSince = now
    strangerAt = now
    return now - strangersSince >= STRANGERS_PATIENCE_MS
  }
  const refusals = createRefusalLog(clock, options.log, 'a beacon was refused')
  const subscription = bus.subscribe(mapWildcard(cluster), (inbound) => {
    const from = senderOf(inbound.subject)
    const message = beaconOf(decodeControl(inbound.data))
    if (!isNodeId(from)) refusals.note('sender', 'its subject does not end in a node\'s name')
    else if (message === null) refusals.note('malformed', `${from} sent what is no beacon`)
    else if (from === self) {
      if (beacon.heard(from, message, clock.now()) === 'older') options.onOlder(message.boot, message.prefix)
    } else {
      if (members().includes(from)) beacon.heard(from, message, clock.now())
      // A map newer than the one in force here may well name whom this one does not: it is asked for below, and nothing is wrong.
      else if (message.epoch <= options.epoch() && areStrangersSettled(clock.now())) {
        refusals.note('sender', `${from} is no member by the map that is known here`)
      }
      if (message.epoch < options.epoch() && isFirstOf(from, message.boot)) hasChanged = true
      options.onEpoch(from, message.epoch)
    }
  })
  return {
    onTick: (now) => {
      const isMute = !options.hasDataPath()
      if (!hasChanged && isMute === wasMute && now - sentAt < BEACON_INTERVAL_MS) return
      hasChanged = false
      wasMute = isMute
      sentAt = now
      // No list of leads: a build that does not know the field refuses the beacon, and hears the silence that a mute node is to it.
      bus.publish(subject, encodeControl(isMute ? { ...options.message(), leads: null, mute: true } : options.message()))
    },
    changed: () => {
      hasChanged = true
    },
    counters: () => refusals.counts(),
    stop: () => subscription.unsubscribe(),
  }
}
