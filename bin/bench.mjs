/** `npm run bench`: the questions of bench/main.ts. */

import { runBuilt } from './bootstrap.mjs'

const { main } = await runBuilt('bench/main.js')
await main(process.argv.slice(2))
