/**
 * Who is to be there: members, which nemeses may hurt and which must serve in the end; those on their way out, whose processes end by
 * themselves; and the names of whoever is gone. A name may come back.
 *
 *   gone ──admit──▶ member ──leave──▶ leaving ──its process ended──remove──▶ gone
 *                   member ──remove──▶ gone: killed, and not started again
 */

import type { NodeId } from '../../topology/ids.ts'

export interface Roster {
  /** Always the same array. */
  readonly members: readonly NodeId[]
  readonly leaving: readonly NodeId[]
  /** Members, those leaving, and whoever was here once. */
  readonly everyone: () => readonly NodeId[]
  /** With how many it began. */
  readonly born: number
  readonly admit: (node: NodeId) => void
  readonly leave: (node: NodeId) => void
  readonly remove: (node: NodeId) => void
  /** It is started so that it asks to be added: not one on its way out, which would come back at once. */
  readonly asksToJoin: (node: NodeId) => boolean
}

export const createRoster = (initial: readonly NodeId[]): Roster => {
  const members = [...initial]
  const leaving: NodeId[] = []
  const everyone = new Set(initial)
  const joined = new Set<NodeId>()
  const takeFrom = (list: NodeId[], node: NodeId): void => {
    const at = list.indexOf(node)
    if (at >= 0) list.splice(at, 1)
  }
  const remove = (node: NodeId): void => {
    takeFrom(members, node)
    takeFrom(leaving, node)
  }
  return {
    members,
    leaving,
    everyone: () => [...everyone],
    born: initial.length,
    admit: (node) => {
      remove(node)
      members.push(node)
      everyone.add(node)
      joined.add(node)
    },
    leave: (node) => {
      remove(node)
      leaving.push(node)
      joined.delete(node)
    },
    remove,
    asksToJoin: (node) => joined.has(node),
  }
}
