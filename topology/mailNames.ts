/** What a recording says of a message between nodes: whose it is on this side, what it is, and a few numbers of it; never a value. */

import { numberIn } from '../bus/address.ts'
import { raftActorOf, shardOfGroup } from './ids.ts'
import type { Happening } from '../actors/kernel/recorder.ts'
import type { RaftMessage } from '../actors/raft/protocol.ts'
import type { ActorMessage } from '../bus/messages.ts'
import type { Address } from '../bus/post.ts'
import type { ShardId } from './ids.ts'

/** Raft members speak to their like; a connection to a shard, which answers it. */
export const actorAt = (
  to: Address, message: ActorMessage, side: 'send' | 'receive',
): { readonly actor: string; readonly shard: ShardId | null } => {
  switch (message.type) {
    case 'raft': {
      const group = numberIn(to, 'raft') ?? 0
      return { actor: raftActorOf(group), shard: shardOfGroup(group) }
    }
    case 'shard.request': return { actor: side === 'send' ? message.replyTo : to, shard: numberIn(to, 'shard') as ShardId | null }
    case 'shard.reply': return { actor: side === 'send' ? `shard/${message.shard}` : to, shard: message.shard }
  }
  message satisfies never
  return { actor: to, shard: null }
}

export const wireType = (message: ActorMessage): string => (message.type === 'raft' ? message.message.type : message.type)

type About = Pick<Happening, 'term' | 'bytes' | 'detail'>

export const aboutMessage = (message: ActorMessage): About => {
  if (message.type === 'raft') return aboutRaft(message.message)
  if (message.type === 'shard.request') return { term: message.term, detail: { operations: message.operations.length } }
  return { detail: { results: message.results.length, status: message.results.find(({ status }) => status !== 'OK')?.status ?? 'OK' } }
}

const aboutRaft = (message: RaftMessage): About => {
  if (message.type === 'raft.append') {
    const { term, prevIndex, commitIndex, entries } = message
    const bytes = entries.reduce((sum, { payload }) => sum + payload.length, 0)
    return { term, bytes, detail: { entries: entries.length, index: prevIndex + entries.length, commitIndex } }
  }
  if (message.type === 'raft.snapshotChunk') {
    const { term, bytes, offset, totalBytes } = message
    return { term, bytes: bytes.length, detail: { offset, totalBytes } }
  }
  const { type: _type, ...rest } = message
  const { term } = rest as { readonly term?: number }
  const detail: Record<string, string | number | boolean> = {}
  for (const [name, value] of Object.entries(rest) as [string, unknown][]) {
    if (name !== 'term' && (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')) detail[name] = value
  }
  return term === undefined ? { detail } : { term, detail }
}
