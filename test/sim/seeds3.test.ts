/** Seeds 1020 to 1029 of the 40 that every `npm test` runs; in four files, so that all cores take part. The sim lane draws fresh ones. */

import { testSeeds } from './seedRange.ts'

testSeeds(1020, 10)
