/** The program that the launcher starts for each node: the built command line, without a look at the sources. */

import { main } from './main.ts'

await main(process.argv.slice(2))
