/**
 * Raft mail on the wire: who speaks to whom, and the message (codec/raftLayouts.ts).
 *
 * A replica id is a node and a generation, and both nodes are known from the frame (its subject names sender and receiver), so a
 * message carries the two generations only: nobody can speak for a replica of another node.
 */

import { assert } from '../../actors/kernel/assert.ts'
import { generationOf } from '../../topology/ids.ts'
import { readU32, writeU32 } from '../bytes.ts'
import { layouts, replicaOf } from './raftLayouts.ts'
import type { RaftMail, RaftMessage } from '../../actors/raft/protocol.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { Reader, Writer } from '../bytes.ts'
import type { Layout } from './raftLayouts.ts'

type ListedType = (typeof layouts)[number]['type']
type AnyLayout = Layout<RaftMessage['type']>

const kindOfType: ReadonlyMap<ListedType, number> = new Map(layouts.map(({ type }, i) => [type, i + 1]))

/** The position of the message's layout, from 1. A message without a layout does not compile here. */
export const kindOfRaft = (message: { readonly type: ListedType }): number => kindOfType.get(message.type) ?? 0

export const isRaftKind = (kind: number): boolean => kind >= 1 && kind <= layouts.length

export const writeRaftMail = (writer: Writer, mail: RaftMail): void => {
  writeU32(writer, generationOf(mail.to))
  writeU32(writer, generationOf(mail.from))
  const layout = layouts[kindOfRaft(mail.message) - 1]
  assert(layout !== undefined, `${mail.message.type} has a layout`)
  ;(layout as unknown as AnyLayout).write(writer, mail.message)
}

/** `kind` is one that `isRaftKind` knows. */
export const readRaftMail = (reader: Reader, kind: number, ends: { readonly from: NodeId; readonly self: NodeId }): RaftMail => {
  const to = replicaOf(ends.self, readU32(reader))
  const from = replicaOf(ends.from, readU32(reader))
  const layout = layouts[kind - 1]
  assert(layout !== undefined, `raft message kind ${kind} is known`)
  return { from, to, message: layout.read(reader) }
}
