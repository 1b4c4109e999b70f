/** `npm run sim`: the simulator. `--seed N` replays one seed to the byte, `--seeds A..B` runs many, `--ci` is the lane. */

import { laneWorld, root, runBuilt } from './bootstrap.mjs'

const { main } = await runBuilt('sim/main.js')
await main(process.argv.slice(2), { ...laneWorld(), root })
