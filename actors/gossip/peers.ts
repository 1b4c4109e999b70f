/**
 * The rows: whom the cluster map names, who of them is drawn, and what is told to each.
 *
 * The map alone adds and removes rows. A node it names is presumed alive until somebody finds otherwise, so that a new member is no
 * news; a node it does not name has no row, whatever rumours say.
 */

import { between } from '../kernel/random.ts'
import { forget, takeRumours } from './rumours.ts'
import { groupSize } from './state.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { GossipMessage, Rumour } from './protocol.ts'
import type { GossipCore, Peer } from './state.ts'

/** Costs one comparison while the map gives out the same list. */
export const followMembers = (core: GossipCore, members: readonly NodeId[]): void => {
  if (members === core.members) return
  core.members = members
  const wanted = new Set(members)
  for (const id of core.peers.keys()) if (!wanted.has(id)) removePeer(core, id)
  for (const id of wanted) if (id !== core.self && !core.peers.has(id)) addPeer(core, id)
  core.pool = core.pool.filter((id) => core.peers.has(id))
}

const removePeer = ({ peers, suspicions, queue }: GossipCore, id: NodeId): void => {
  peers.delete(id)
  suspicions.delete(id)
  forget(queue, id)
}

/** A newcomer is probed somewhere in what is left of this round (SWIM 4.3). */
const addPeer = (core: GossipCore, id: NodeId): void => {
  core.peers.set(id, { id, state: 'alive', incarnation: 0, by: id })
  core.pool.push(id)
  core.round.splice(between(core.random, core.roundAt, core.round.length), 0, id)
}

/** Up to `count` different peers that are fit, each as likely as another. */
export const drawPeers = ({ pool, peers, random }: GossipCore, count: number, isFit: (peer: Peer) => boolean): readonly NodeId[] => {
  const drawn: NodeId[] = []
  for (let i = 0; i < pool.length && drawn.length < count; i += 1) {
    const j = between(random, i, pool.length - 1)
    const id = pool[j] as NodeId
    pool[j] = pool[i] as NodeId
    pool[i] = id
    const peer = peers.get(id)
    if (peer !== undefined && isFit(peer)) drawn.push(id)
  }
  return drawn
}

export const isReachable = ({ state }: Peer): boolean => state === 'alive' || state === 'suspect'

const NOTHING: readonly Rumour[] = []

type WithoutRumours<Message> = Message extends unknown ? Omit<Message, 'rumours'> : never

/**
 * With what is on its way, and first of all what is believed of the receiver when that is bad: whom nobody tells can not refute
 * (Lifeguard's buddy system, section IV.C; here also the dead are told when they are spoken to). Then `mustHear`.
 */
export const sendTo = (
  core: GossipCore, to: NodeId, message: WithoutRumours<GossipMessage>, mustHear: readonly Rumour[] = NOTHING,
): void => {
  const peer = core.peers.get(to)
  const first = peer === undefined || peer.state === 'alive' ? mustHear : [claimOf(peer), ...mustHear]
  const rumours = takeRumours(core.queue, { config: core.config, groupSize: groupSize(core), first })
  core.effects.push({ type: 'gossip.send', to, message: { ...message, rumours } as GossipMessage })
}

export const claimOf = ({ id, state, incarnation, by }: Peer): Rumour => ({ node: id, state, incarnation, by })

export const ownClaim = ({ self, phase, incarnation }: GossipCore): Rumour =>
  ({ node: self, state: phase === 'leaving' ? 'left' : 'alive', incarnation, by: self })
