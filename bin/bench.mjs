/** `npm run bench`: PUT and GET by raw NATS requests, against a cluster of its own or `--servers`. */

import { runBuilt } from './bootstrap.mjs'

const { main } = await runBuilt('bench/main.js')
await main(process.argv.slice(2))
