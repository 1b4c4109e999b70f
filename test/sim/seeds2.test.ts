/** Seeds 1050 to 1099 of the 200 that every commit runs; in four files, so that all cores take part. */

import { testSeeds } from './seedRange.ts'

testSeeds(1050, 50)
