/** Every scenario there is. */

import { genesisScenario } from './genesisScenario.ts'
import { logScenario } from './logScenario.ts'
import { logStories } from './logStories.ts'
import { replacementScenarios } from './replacementScenarios.ts'
import { snapshotScenarios } from './snapshotScenarios.ts'
import type { Scenario } from '../scenario.ts'

export const scenarios: readonly Scenario[] = [
  ...[false, true].flatMap((hasSyncedWrites) => logStories.map((story) => logScenario(story, hasSyncedWrites))),
  ...snapshotScenarios, ...replacementScenarios, genesisScenario,
]
