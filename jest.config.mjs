/**
 * Lanes (SHARDKV_TEST_LANE, set by bin/test.mjs): `default` is `npm test`; `slow` is real processes for minutes; `all` is both, for a
 * run that names its files.
 */

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const slow = ['test/e2e/']
  .filter((folder) => existsSync(fileURLToPath(new URL(folder, import.meta.url))))
  .map((folder) => `<rootDir>/${folder}`)
const lane = process.env.SHARDKV_TEST_LANE ?? 'all'

/** A run of `npm run mutants`: one of the sources has a bug in it. */
const isPlanted = (process.env.SHARDKV_MUTANT ?? '') !== ''

const gate = { lines: 90, branches: 90 }

export default {
  testEnvironment: 'node',
  roots: lane === 'slow' ? slow : ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', ...(lane === 'default' ? slow : [])],
  setupFiles: ['<rootDir>/test/setup.mjs'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [isPlanted ? '<rootDir>/test/mutants/lib/transformer.mjs' : '<rootDir>/test/support/transformer.mjs', {
      jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
      module: { type: 'es6' },
      sourceMaps: 'inline',
    }],
  },
  coverageProvider: 'v8',
  collectCoverageFrom: ['{actors,bus,storage,topology,sdk}/**/*.ts'],
  coverageDirectory: 'coverage',
  coverageReporters: ['text-summary', 'json', 'lcovonly'],
  coverageThreshold: { './actors/': gate, './bus/': gate, './storage/': gate, './topology/': gate, './sdk/': gate },
  testTimeout: 120_000,
  maxWorkers: lane === 'slow' ? 1 : '100%',
  workerIdleMemoryLimit: '512MB',
}
