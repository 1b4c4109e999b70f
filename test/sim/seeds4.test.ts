/** Seeds 1030 to 1039 of the 40 that every `npm test` runs; in four files, so that all cores take part. The sim lane draws fresh ones. */

import { testSeeds } from './seedRange.ts'

testSeeds(1030, 10)
