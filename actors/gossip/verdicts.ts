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
import { addAccuser, beginAsking, createSuspicion, isAskDue, isOver } from './suspicion.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { Rumour } from './protocol.ts'
import type { GossipCore, Peer } from './state.ts'

/** How a claim comes: as a rumour, which is for everybody, or in an exchange, in which a node hears all that another knows. */
export type Way = 'rumour' | 'exchange'

export const hearAll = (core: GossipCore, rumours: readonly Rumour[], way: Way): void => {
  for (const rumour of rumours) hear(core, rumour, way)
}

const hear = (core: GossipCore, rumour: Rumour, way: Way): void => {
  if (rumour.node === core.self) hearOfSelf(core, rumour)
  else {
    const peer = core.peers.get(rumour.node)
    if (peer !== undefined) hearOfPeer(core, peer, rumour, way)
  }
}

const hearOfPeer = (core: GossipCore, peer: Peer, rumour: Rumour, way: Way = 'rumour'): void => {
  if (outweighs(rumour, peer)) {
    const isNews = way === 'rumour' || !isGreeting(peer, rumour)
    believe(core, peer, rumour)
    if (isNews) spread(core.queue, rumour)
  } else if (rumour.state === 'suspect' && peer.state === 'suspect' && rumour.incarnation === peer.incarnation) {
    const suspicion = core.suspicions.get(peer.id)
    if (suspicion === undefined || !isAccuser(core, rumour) || !addAccuser(suspicion, rumour.by)) return
    if (rumour.by === core.self) beginAsking(suspicion, core.now)
    spread(core.queue, rumour)
  }
}

/**
 * Whoever was presumed alive says so itself. In an exchange that is no news: a node that starts hears it of everybody. As a rumour it is
 * the refutation of an accusation that has not come here yet, and comes no further than it is passed on: nodes that kept it to themselves
 * left some of a thousand with the accusation alone, and each of these held the accused for dead when its time was over.
 */
const isGreeting = (peer: Peer, rumour: Rumour): boolean =>
  peer.state === 'alive' && peer.incarnation === 0 && rumour.state === 'alive'

/** Others of the group, and not the suspect itself. */
const isAccuser = ({ self, peers }: GossipCore, { node, by }: Rumour): boolean => by !== node && (by === self || peers.has(by))

const believe = (core: GossipCore, peer: Peer, rumour: Rumour): void => {
  const from = peer.state
  peer.state = rumour.state
  peer.incarnation = rumour.incarnation
  peer.by = rumour.by
  if (rumour.state === 'suspect') {
    core.suspicions.set(peer.id, createSuspicion({
      self: core.self, config: core.config, groupSize: groupSize(core), now: core.now, by: rumour.by,
    }))
  } else core.suspicions.delete(peer.id)
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

/** Suspects that have not refuted in time are dead; before that they are asked (probe.ts). */
export const condemnOverdue = (core: GossipCore): void => {
  for (const [id, suspicion] of core.suspicions) {
    if (isAskDue(suspicion, core.now)) beginAsking(suspicion, core.now)
    const peer = core.peers.get(id)
    if (peer === undefined || !isOver(suspicion, core.now)) continue
    hearOfPeer(core, peer, { ...claimOf(peer), state: 'dead', by: core.self })
  }
}
