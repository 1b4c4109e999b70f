#!/usr/bin/env node
/** The `shardkv` command. In a checkout it installs and builds what is missing first. */

import { runBuilt } from './bootstrap.mjs'

const { main } = await runBuilt('cli/main.js').catch((error) => {
  const [, missing] = /^Cannot find package '([^']+)'/.exec(error.message) ?? []
  if (error.code !== 'ERR_MODULE_NOT_FOUND' || missing === undefined) throw error
  // The SDK does without what the command and nodes need: package.json has it as optional.
  process.stderr.write(`shardkv: the package ${missing} is not installed, which the SDK does without and the command needs: `
    + 'npm install --include=optional brings it\n')
  process.exit(1)
})
await main(process.argv.slice(2))
