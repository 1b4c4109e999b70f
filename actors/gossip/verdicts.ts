/**
 * What becomes of a claim (SWIM 4.2). Each row holds the weightiest claim that was heard, by incarnation, then by state:
 *
 *   alive(i) < suspect(i) < dead(i) < left(i) < alive(i+1)
 *
 * So it does not matter in which order claims arrive, or how often: all who have heard the same believe the same, and only the node itself,
 * which alone raises its incarnation, can undo what is said of it. That is how a suspect refutes, and how one that was dead or
 * had left comes back. Departure: SWIM and memberlist let `dead` outweigh whatever incarnation, or only suspects; here the order is total.
 */

import { worsenHealth } from './localHealth.ts'
import { claimOf, ownClaim } from './peers.ts'
import { INCARNATION_MAX } from './protocol.ts'
import { outweighs, spread } from './rumours.ts'
import { groupSize } from './state.ts'
import { addAccuser, createSuspicion, isOver } from './suspicion.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { Rumour } from './protocol.ts'
import type { GossipCore, Peer } from './state.ts'

export const hearAll = (core: GossipCore, rumours: readonly Rumour[]): void => {
  for (const rumour of rumours) hear(core, rumour)
}

const hear = (core: GossipCore, rumour: Rumour): void => {
  if (rumour.node === core.self) hearOfSelf(core, rumour)
  else {
    const peer = core.peers.get(rumour.node)
    if (peer !== undefined) hearOfPeer(core, peer, rumour)
  }
}

const hearOfPeer = (core: GossipCore, peer: Peer, rumour: Rumour): void => {
  if (outweighs(rumour, peer)) believe(core, peer, rumour)
  else if (rumour.state === 'suspect' && peer.state === 'suspect' && rumour.incarnation === peer.incarnation) {
    const suspicion = core.suspicions.get(peer.id)
    if (suspicion !== undefined && isAccuser(core, rumour) && addAccuser(suspicion, rumour.by)) spread(core.queue, rumour)
  }
}

/** Others of the group, and not the suspect itself. */
const isAccuser = ({ self, peers }: GossipCore, { node, by }: Rumour): boolean => by !== node && (by === self || peers.has(by))

const believe = (core: GossipCore, peer: Peer, rumour: Rumour): void => {
  const from = peer.state
  const isNews = from !== rumour.state || peer.incarnation > 0
  peer.state = rumour.state
  peer.incarnation = rumour.incarnation
  peer.by = rumour.by
  if (rumour.state === 'suspect') {
    core.suspicions.set(peer.id, createSuspicion({
      config: core.config, groupSize: groupSize(core), now: core.now, by: rumour.by,
    }))
  } else core.suspicions.delete(peer.id)
  if (isNews) spread(core.queue, rumour)
  if (from === rumour.state) return
  const { state: to, incarnation, by } = rumour
  core.effects.push({ type: 'gossip.verdictChanged', peer: peer.id, from, to, incarnation, by })
}

/** Whoever leaves lets them talk: `left` outweighs it all. */
const hearOfSelf = (core: GossipCore, { state, incarnation }: Rumour): void => {
  if (core.phase === 'leaving') return
  // What is alive under a higher incarnation is the life before this one.
  if (state === 'alive' && incarnation <= core.incarnation) return
  if (incarnation >= core.incarnation) {
    core.incarnation = Math.min(INCARNATION_MAX, incarnation + 1)
    if (state !== 'alive' && core.phase === 'running') worsenHealth(core, 1)
    spread(core.queue, ownClaim(core))
    return
  }
  // An accusation that was refuted before: whoever repeats it has not heard.
  if (!core.queue.tierOf.has(core.self)) spread(core.queue, ownClaim(core))
}

/** This node's own finding. */
export const accuse = (core: GossipCore, id: NodeId): void => {
  const peer = core.peers.get(id)
  if (peer === undefined) return
  hearOfPeer(core, peer, { ...claimOf(peer), state: 'suspect', by: core.self })
}

/** Suspects that have not refuted in time are dead. */
export const condemnOverdue = (core: GossipCore): void => {
  for (const [id, suspicion] of core.suspicions) {
    const peer = core.peers.get(id)
    if (peer === undefined || !isOver(suspicion, core.now)) continue
    hearOfPeer(core, peer, { ...claimOf(peer), state: 'dead', by: core.self })
  }
}
