/**
 * The failure detector's messages on the wire: control messages (codec/control.ts), each a list that begins with the type's number.
 *
 *   [0, sequence, rumours]            ping              [3, sequence, rumours]            nack
 *   [1, sequence, rumours]            ack               [4, rumours]                      news
 *   [2, sequence, target, rumours]    ping request      [5, 0 question | 1 answer, rumours]   exchange
 *
 * A rumour is [node, state's number, incarnation, by]; `by` is left out where it is the node itself. What is no such message is refused
 * whole: half a message would be somebody's guess.
 */

import { INCARNATION_MAX, peerStates } from '../../actors/gossip/protocol.ts'
import { isNodeId } from '../../topology/ids.ts'
import { decodeControl, encodeControl } from './control.ts'
import type { GossipMessage, Rumour } from '../../actors/gossip/protocol.ts'

/** Of one message; an exchange has at most `exchangeRowsMax`. */
export const GOSSIP_RUMOURS_MAX = 4_096

const types = ['gossip.ping', 'gossip.ack', 'gossip.pingRequest', 'gossip.nack', 'gossip.news', 'gossip.exchange'] as const
const exchangeKinds = ['question', 'answer'] as const

export const encodeGossip = (message: GossipMessage): Uint8Array =>
  encodeControl([types.indexOf(message.type), ...fieldsOf(message), message.rumours.map(encodeRumour)])

const fieldsOf = (message: GossipMessage): readonly (number | string)[] => {
  switch (message.type) {
    case 'gossip.ping':
    case 'gossip.ack':
    case 'gossip.nack': return [message.sequence]
    case 'gossip.pingRequest': return [message.sequence, message.target]
    case 'gossip.news': return []
    case 'gossip.exchange': return [exchangeKinds.indexOf(message.kind)]
  }
  return message satisfies never
}

const encodeRumour = ({ node, state, incarnation, by }: Rumour): readonly (number | string)[] =>
  (by === node ? [node, peerStates.indexOf(state), incarnation] : [node, peerStates.indexOf(state), incarnation, by])

/** Null for what is no message of a failure detector. Never throws. */
export const decodeGossip = (bytes: Uint8Array): GossipMessage | null => {
  const value = decodeControl(bytes)
  if (!Array.isArray(value)) return null
  const [number, ...rest] = value as unknown[]
  const type = typeof number === 'number' ? types[number] : undefined
  const rumours = rumoursOf(rest.pop())
  return type === undefined || rumours === null ? null : messageOf(type, rest, rumours)
}

const messageOf = (type: GossipMessage['type'], fields: readonly unknown[], rumours: readonly Rumour[]): GossipMessage | null => {
  const [first, second] = fields
  switch (type) {
    case 'gossip.ping':
    case 'gossip.ack':
    case 'gossip.nack': return fields.length === 1 && isWhole(first) ? { type, sequence: first, rumours } : null
    case 'gossip.pingRequest':
      return fields.length === 2 && isWhole(first) && isName(second) ? { type, sequence: first, target: second, rumours } : null
    case 'gossip.news': return fields.length === 0 ? { type, rumours } : null
    case 'gossip.exchange': {
      const kind = typeof first === 'number' ? exchangeKinds[first] : undefined
      return fields.length === 1 && kind !== undefined ? { type, kind, rumours } : null
    }
  }
  return type satisfies never
}

const rumoursOf = (value: unknown): readonly Rumour[] | null => {
  if (!Array.isArray(value) || value.length > GOSSIP_RUMOURS_MAX) return null
  const rumours: Rumour[] = []
  for (const item of value as unknown[]) {
    const rumour = rumourOf(item)
    if (rumour === null) return null
    rumours.push(rumour)
  }
  return rumours
}

const rumourOf = (value: unknown): Rumour | null => {
  if (!Array.isArray(value) || value.length < 3 || value.length > 4) return null
  const [node, number, incarnation, by = node] = value as unknown[]
  const state = typeof number === 'number' ? peerStates[number] : undefined
  if (!isName(node) || !isName(by) || state === undefined || !isWhole(incarnation) || incarnation > INCARNATION_MAX) return null
  return { node, state, incarnation, by }
}

const isName = (value: unknown): value is Rumour['node'] => typeof value === 'string' && isNodeId(value)

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
