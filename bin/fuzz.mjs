/** `npm run fuzz`: every decoder on mutated valid encodings (fuzz/main.ts). */

import { laneWorld, runBuilt } from './bootstrap.mjs'

const { main } = await runBuilt('fuzz/main.js')
await main(process.argv.slice(2), laneWorld())
