/** `npm run chaos`: real clusters under attack, and their histories judged. `--seed N` draws the same attack again. */

import { runBuilt } from './bootstrap.mjs'

const { main } = await runBuilt('chaos/main.js')
await main(process.argv.slice(2))
