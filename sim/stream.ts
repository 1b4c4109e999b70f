/** Random streams by name, forked from a run's seed: what is drawn from one changes nothing about what others draw. */

import { createRandom } from '../actors/kernel/random.ts'
import { fnv1a32 } from '../topology/hash.ts'
import type { Random } from '../actors/kernel/random.ts'

export const streamOf = (seed: number, name: string): Random => createRandom(fnv1a32(`${seed} ${name}`))
