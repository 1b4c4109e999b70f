/** Every generator of images there is. The seed decides whatever they draw. */

import { bitFlips } from './generators/bitFlips.ts'
import { crashes, recoveryCrashes } from './generators/crashes.ts'
import { damageAtRest } from './generators/damageAtRest.ts'
import { faults } from './generators/faults.ts'
import { killedThenPower } from './generators/killedThenPower.ts'
import { movedRecords } from './generators/movedRecords.ts'
import { movedSectors } from './generators/movedSectors.ts'
import { randomLives } from './generators/randomLives.ts'
import { snapshotDamage } from './generators/snapshotDamage.ts'
import { staleSegments } from './generators/staleSegments.ts'
import { truncation, zeroedTails } from './generators/truncation.ts'
import { unreadSegments } from './generators/unreadSegments.ts'
import { unsyncedPages } from './generators/unsyncedPages.ts'
import { wipedSectors } from './generators/wipedSectors.ts'
import { remembered } from './generator.ts'
import { scenarios } from './scenarios/scenarios.ts'
import { fixedSpecimens, randomSpecimens } from './specimens.ts'
import type { Generator } from './generator.ts'

export const generatorsOf = (seed: number): readonly Generator[] => {
  const specimensOf = remembered((pass) => (pass === 0 ? fixedSpecimens() : randomSpecimens(seed, pass)))
  return [
    truncation(specimensOf), zeroedTails(specimensOf), bitFlips(specimensOf), wipedSectors(specimensOf), movedSectors(specimensOf),
    movedRecords(specimensOf), staleSegments(specimensOf), unsyncedPages(seed), snapshotDamage(), crashes(seed, scenarios),
    recoveryCrashes(seed, scenarios), faults(seed, scenarios), randomLives(seed), killedThenPower(seed, scenarios), damageAtRest(seed),
    unreadSegments(specimensOf),
  ]
}
