/**
 * One client's sessions of the state machine (RIFL), one for each shard: opened through the batch door, used by requests on any path. A
 * sequence stays incomplete until its answer is known; the least incomplete one tells the shard what it may forget.
 */

import { openSessionOperation } from './door.ts'
import type { SessionRequest } from '../actors/shard/operation.ts'
import type { ShardId } from '../topology/ids.ts'
import type { Door } from './door.ts'

export interface ClientSessions {
  /** The next sequence of the session with this shard; null while none is open, which also begins to open one. */
  readonly next: (shard: ShardId) => SessionRequest | null
  /** The request as it is to be sent now: with what is complete by now. */
  readonly current: (shard: ShardId, request: SessionRequest) => SessionRequest
  readonly complete: (shard: ShardId, request: SessionRequest) => void
}

interface Session {
  isOpening: boolean
  isOpen: boolean
  lastSequence: number
  readonly incomplete: Set<number>
}

export const createClientSessions = (client: number, door: Door): ClientSessions => {
  const id = client.toString(16).padStart(16, '0')
  const sessions = new Map<ShardId, Session>()
  const sessionOf = (shard: ShardId): Session => {
    const known = sessions.get(shard)
    if (known !== undefined) return known
    const session: Session = { isOpening: false, isOpen: false, lastSequence: 0, incomplete: new Set() }
    sessions.set(shard, session)
    return session
  }
  const firstIncomplete = ({ incomplete }: Session, sequence: number): number => Math.min(sequence, ...incomplete)
  const open = (shard: ShardId, session: Session): void => {
    if (session.isOpening) return
    session.isOpening = true
    door.send(shard, openSessionOperation(id), (result) => {
      session.isOpening = false
      session.isOpen = result?.status === 'OK'
    })
  }
  return {
    next: (shard) => {
      const session = sessionOf(shard)
      if (!session.isOpen) {
        open(shard, session)
        return null
      }
      session.lastSequence += 1
      session.incomplete.add(session.lastSequence)
      return { client: id, sequence: session.lastSequence, firstIncomplete: firstIncomplete(session, session.lastSequence) }
    },
    current: (shard, { client: of, sequence }) => ({ client: of, sequence, firstIncomplete: firstIncomplete(sessionOf(shard), sequence) }),
    complete: (shard, { sequence }) => { sessionOf(shard).incomplete.delete(sequence) },
  }
}
