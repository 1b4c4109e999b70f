/** Seeds 1150 to 1199 of the 200 that every commit runs; in four files, so that all cores take part. */

import { testSeeds } from './seedRange.ts'

testSeeds(1150, 50)
