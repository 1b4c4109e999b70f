/** What stays where there are more records than the page takes. */

import { isStory } from '../recorder/record.ts'
import type { ActorRecord } from '../recorder/record.ts'

/** The newest. States and notes are what a picture is made of, and few: the oldest traffic goes first. In order as they were. */
export const withoutOldestTraffic = (records: readonly ActorRecord[], countMax: number): readonly ActorRecord[] => {
  let excess = records.length - countMax
  if (excess <= 0) return records
  return records.filter((record) => {
    if (excess === 0 || isStory(record)) return true
    excess -= 1
    return false
  }).slice(-countMax)
}
