/** `npm start`: the same as `shardkv start`, from a fresh clone on. */

import { runBuilt } from './bootstrap.mjs'

const { main } = await runBuilt('cli/main.js')
await main(['start', ...process.argv.slice(2)])
