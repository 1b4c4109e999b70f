/** `npm run torture`: images of damaged, torn and interrupted disks (torture/main.ts). */

import { laneWorld, runBuilt } from './bootstrap.mjs'

const { main } = await runBuilt('torture/main.js')
await main(process.argv.slice(2), laneWorld())
