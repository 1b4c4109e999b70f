/**
 * A build that knows one layout level more, and lays out the log, snapshots and envelopes differently from that level on: today's build
 * with the edits of test/layouts/next.json. Nothing of it is in the product, which has no next level yet; the way to one is what is
 * tested.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkout } from './checkout.ts'
import type { Planted } from './hauntedBuild.ts'

export interface NextLayouts {
  readonly level: number
  /** What the first bytes of its segments, snapshots and envelopes say, and the number of its entry records. */
  readonly segmentVersion: number
  readonly snapshotVersion: number
  readonly envelopeVersion: number
  readonly entryKind: number
  readonly edits: readonly Planted[]
}

export const readNextLayouts = (): NextLayouts => JSON.parse(readFileSync(join(checkout, 'test/layouts/next.json'), 'utf8')) as NextLayouts
