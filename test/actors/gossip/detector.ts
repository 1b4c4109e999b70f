/** One failure detector, n1, among peers that a test plays: what it says is caught, what they say is given to it. */

import { createGossip } from '../../../actors/gossip/actor.ts'
import { createRandom } from '../../../actors/kernel/random.ts'
import { silentLogger } from '../../../actors/kernel/log.ts'
import { nodeId } from '../../../topology/ids.ts'
import type { Gossip } from '../../../actors/gossip/actor.ts'
import type { GossipConfig } from '../../../actors/gossip/config.ts'
import type { GossipMessage, PeerState, Rumour, VerdictChange } from '../../../actors/gossip/protocol.ts'
import type { Logger } from '../../../actors/kernel/log.ts'

type Type = GossipMessage['type']
type MessageOf<T extends Type> = Extract<GossipMessage, { readonly type: T }>

interface Sent<Message extends GossipMessage = GossipMessage> {
  readonly to: string
  readonly message: Message
}

export interface Detector {
  readonly gossip: Gossip
  readonly verdicts: readonly VerdictChange[]
  /** One tick after the other. */
  readonly ticks: (count: number) => void
  /** One event that says that so many ticks have passed. */
  readonly stall: (ticks: number) => void
  readonly setConnected: (isConnected: boolean) => void
  readonly setMembers: (...names: string[]) => void
  readonly hear: (from: string, message: GossipMessage) => void
  /** As news from a peer. */
  readonly rumour: (from: string, ...rumours: Rumour[]) => void
  /** What was sent since the last call, of this type. */
  readonly sent: <T extends Type>(type: T) => readonly Sent<MessageOf<T>>[]
  readonly view: (name: string) => string | undefined
  /** Ticks until it pings, and returns that. */
  readonly nextPing: () => Sent<MessageOf<'gossip.ping'>>
}

export const claim = (node: string, state: PeerState, incarnation: number, by = node): Rumour =>
  ({ node: nodeId(node), state, incarnation, by: nodeId(by) })

export interface DetectorOptions {
  /** n1 is one of them. */
  readonly nodes: number
  readonly seed?: number
  readonly config?: Partial<GossipConfig>
  readonly log?: Logger
  /** Leaves it joining. */
  readonly isNew?: boolean
}

export const createDetector = ({ nodes, seed = 1, config = {}, log = silentLogger, isNew = false }: DetectorOptions): Detector => {
  let members = Array.from({ length: nodes }, (_, i) => nodeId(`n${i + 1}`))
  let isConnected = true
  let caught: Sent[] = []
  const verdicts: VerdictChange[] = []
  const gossip = createGossip({
    self: nodeId('n1'), random: createRandom(seed), log, config,
    send: (to, message) => { caught.push({ to, message }) },
    onVerdict: (change) => { verdicts.push(change) },
    onFailure: (error) => { throw error },
  })
  const stall = (ticks: number): void => gossip.send({ type: 'tick', ticks, isConnected, members })
  const hear = (from: string, message: GossipMessage): void => gossip.send({ ...message, from: nodeId(from) })
  const detector: Detector = {
    gossip, verdicts, stall, hear,
    ticks: (count) => { for (let i = 0; i < count; i += 1) stall(1) },
    setConnected: (next) => { isConnected = next },
    setMembers: (...names) => { members = names.map(nodeId) },
    rumour: (from, ...rumours) => hear(from, { type: 'gossip.news', rumours }),
    sent: <T extends Type>(type: T) => {
      const found = caught.filter((one): one is Sent<MessageOf<T>> => one.message.type === type)
      caught = caught.filter(({ message }) => message.type !== type)
      return found
    },
    view: (name) => gossip.status().peers.find(({ node }) => node === name)?.state,
    nextPing: () => {
      for (let i = 0; i < 200; i += 1) {
        const [ping] = detector.sent('gossip.ping')
        if (ping !== undefined) return ping
        stall(1)
      }
      throw new Error('it does not ping within 200 ticks')
    },
  }
  if (!isNew && nodes > 1) {
    stall(1)
    hear('n2', { type: 'gossip.exchange', kind: 'answer', rumours: [] })
    caught = []
  }
  return detector
}
