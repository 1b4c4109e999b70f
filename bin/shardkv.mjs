#!/usr/bin/env node
/** The `shardkv` command. In a checkout it installs and builds what is missing first. */

import { runBuilt } from './bootstrap.mjs'

const { main } = await runBuilt('cli/main.js')
await main(process.argv.slice(2))
