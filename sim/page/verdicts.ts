/** What each node's failure detector says of the others, made of what they record: a node that starts again knows nothing of before. */

import type { ActorRecord } from '../../observe/recorder/record.ts'

export interface Verdicts {
  readonly add: (record: ActorRecord) => void
  /** As the word of the record: `alive`, `suspect`, `dead`, `left`; undefined: it has said nothing. */
  readonly of: (by: string, node: string) => string | undefined
}

export const createVerdicts = (): Verdicts => {
  const said = new Map<string, Map<string, string>>()
  return {
    add: ({ node, actor, kind, event, peer, detail }) => {
      if (actor === 'node' && kind === 'state' && event === 'booting') said.delete(node)
      const verdict = detail?.['is']
      if (actor !== 'gossip' || kind !== 'note' || peer === undefined || typeof verdict !== 'string') return
      const own = said.get(node) ?? new Map<string, string>()
      said.set(node, own.set(peer, verdict))
    },
    of: (by, node) => said.get(by)?.get(node),
  }
}
