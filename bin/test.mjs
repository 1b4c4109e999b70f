/**
 * `npm test`: everything a contributor needs before a commit. Installs, builds and finds nats-server first, then runs jest.
 *
 *   npm test                     the default lane, with the coverage gate
 *   npm test -- test/bus         only these, without the gate
 *   npm test -- --nats-server=2.9.25 test/bus   against that version of nats-server, got into the cache when it is not there
 *   npm test -- --lane=slow      what takes longer: real processes, the real file (test/e2e)
 */

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { ensureBuild, ensureDependencies, root } from './bootstrap.mjs'
import { natsServerOfTests } from './natsServer.mjs'

ensureDependencies()
ensureBuild()

const args = process.argv.slice(2)
const lane = args.find((arg) => arg.startsWith('--lane='))?.slice('--lane='.length)
const version = args.find((arg) => arg.startsWith('--nats-server='))?.slice('--nats-server='.length)
const jestArgs = args.filter((arg) => !arg.startsWith('--lane=') && !arg.startsWith('--nats-server='))
const isPartial = jestArgs.some((arg) => !arg.startsWith('-'))
const withCoverage = lane === undefined && !isPartial

const server = await natsServerOfTests(version)

const jest = spawn(process.execPath, [
  '--experimental-vm-modules', '--no-warnings', join(root, 'node_modules/jest/bin/jest.js'),
  ...(withCoverage ? ['--coverage'] : []),
  ...jestArgs,
], {
  cwd: root,
  stdio: 'inherit',
  env: {
    ...process.env,
    SHARDKV_NATS_SERVER: server.path,
    SHARDKV_TEST_NATS_VERSION: server.version,
    SHARDKV_TEST_LANE: lane ?? (isPartial ? 'all' : 'default'),
  },
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => jest.kill(signal))
jest.on('exit', (code, signal) => {
  process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
})
