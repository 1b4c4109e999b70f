/** Seeds 1000 to 1049 of the 200 that every commit runs; in four files, so that all cores take part. */

import { testSeeds } from './seedRange.ts'

testSeeds(1000, 50)
