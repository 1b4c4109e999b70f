/**
 * Lanes (SHARDKV_TEST_LANE, set by bin/test.mjs): `default` is `npm test`; `slow` is real processes for minutes, two files side by side;
 * `alone` is those of them that must have the machine to themselves; `all` is everything, for a run that names its files.
 */

import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

const slow = ['test/e2e/']
  .filter((folder) => existsSync(fileURLToPath(new URL(folder, import.meta.url))))
  .map((folder) => `<rootDir>/${folder}`)
const lane = process.env.SHARDKV_TEST_LANE ?? 'all'

/**
 * Beside another cluster these could fail for no fault of theirs: each demands something that another file takes away by being busy, or
 * holds ports that nobody has bound yet. The others wait for what they want with deadlines, and ask for a free port when they need it.
 */
const alone = [
  // Not one call may be refused, and none lasts longer than five seconds: a leader must not be lost to a busy core.
  'elastic', 'upgrade', 'repair', 'overload', 'permissions', 'drain',
  // One look at what nodes believe of each other, or at how well they are.
  'gossip', 'cli',
  // Ports that were free once, and are bound again and again, or are the programs' own.
  'start', 'compose', 'watchers',
  // The share of a page's main thread that drawing takes.
  'observatory',
].map((name) => `test/e2e/${name}.test.ts`)
const missing = alone.find((path) => slow.length > 0 && !existsSync(fileURLToPath(new URL(path, import.meta.url))))
if (missing !== undefined) throw new Error(`jest.config.mjs: ${missing}, which is to run alone, is not there`)
const isSlow = lane === 'slow' || lane === 'alone'
const ignored = { default: slow, slow: alone.map((path) => `<rootDir>/${path}`) }[lane] ?? []

/** A run of `npm run mutants`: one of the sources has a bug in it. */
const isPlanted = (process.env.SHARDKV_MUTANT ?? '') !== ''

const gate = { lines: 90, branches: 90 }

export default {
  testEnvironment: 'node',
  roots: isSlow ? slow : ['<rootDir>/test'],
  testMatch: lane === 'alone' ? alone.map((path) => `<rootDir>/${path}`) : ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', ...ignored],
  setupFiles: ['<rootDir>/test/setup.mjs'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [isPlanted ? '<rootDir>/test/mutants/lib/transformer.mjs' : '<rootDir>/test/support/transformer.mjs', {
      jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
      module: { type: 'es6' },
      sourceMaps: 'inline',
    }],
  },
  // As test/support/transformer.mjs does for our modules, for those of CommonJS, `expect` among them.
  sandboxInjectedGlobals: ['Array', 'Error', 'JSON', 'Map', 'Math', 'Number', 'Object', 'Set', 'String', 'Symbol', 'Uint8Array'],
  coverageProvider: 'v8',
  collectCoverageFrom: ['{actors,bus,storage,topology,sdk}/**/*.ts'],
  coverageDirectory: 'coverage',
  coverageReporters: ['text-summary', 'json', 'lcovonly'],
  coverageThreshold: { './actors/': gate, './bus/': gate, './storage/': gate, './topology/': gate, './sdk/': gate },
  testTimeout: 30_000,
  maxWorkers: { slow: Math.min(2, availableParallelism()), alone: 1 }[lane] ?? '100%',
  workerIdleMemoryLimit: '512MB',
}
