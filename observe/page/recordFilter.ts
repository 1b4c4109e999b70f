/** What somebody types to see a part of a recording: an actor, a node, `shard 7`, a key, a trace, or a word of what happened. */

import { isStory } from '../recorder/record.ts'
import type { ActorRecord } from '../recorder/record.ts'

/** Nothing typed: the story. Something: whatever it fits, traffic too. */
export const filterOf = (typed: string): ((record: ActorRecord) => boolean) => {
  const text = typed.trim()
  if (text === '') return isStory
  const shard = /^shard (\d+)$/.exec(text)?.[1]
  if (shard !== undefined) return (record) => record.shard === Number(shard)
  return ({ actor, node, trace, event, detail }) =>
    actor.startsWith(`${text}/`) || event.includes(text) || [actor, node, trace, detail?.['key']].includes(text)
}
