/** Seeds 1100 to 1149 of the 200 that every commit runs; in four files, so that all cores take part. */

import { testSeeds } from './seedRange.ts'

testSeeds(1100, 50)
