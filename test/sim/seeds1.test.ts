/** Seeds 1000 to 1009 of the 40 that every `npm test` runs; in four files, so that all cores take part. The sim lane draws fresh ones. */

import { testSeeds } from './seedRange.ts'

testSeeds(1000, 10)
