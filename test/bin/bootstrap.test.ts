/**
 * What every command of a checkout does first, with the real npm in a small checkout whose packages are folders of its own: no network.
 * Its compiler only makes the folder that a build leaves behind.
 */

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { checkout } from '../../chaos/ground/checkout.ts'

const INSTALLING = 'shardkv: installing dependencies (npm ci) ...\n'
const BUILDING = 'shardkv: building ...\n'
/** It starts up to three npm. */
const TEST_MS_MAX = 120_000
const withoutNetwork = { npm_config_offline: 'true', npm_config_update_notifier: 'false' }
const production = { NODE_ENV: 'production' }

const packageOf = (name: string): string => JSON.stringify({ name, version: '1.0.0' })
const dependencies = { devDependencies: { typescript: 'file:compiler' }, optionalDependencies: { commander: 'file:flags' } }
const files: Readonly<Record<string, string>> = {
  'compiler/package.json': packageOf('typescript'),
  'compiler/bin/tsc': "require('node:fs').mkdirSync('dist/cjs', { recursive: true })",
  'flags/package.json': packageOf('commander'),
  'package.json': JSON.stringify({ name: 'small', version: '1.0.0', ...dependencies }),
  'package-lock.json': JSON.stringify({
    name: 'small', version: '1.0.0', lockfileVersion: 3, requires: true,
    packages: {
      '': { name: 'small', version: '1.0.0', ...dependencies },
      compiler: { name: 'typescript', version: '1.0.0', dev: true },
      flags: { name: 'commander', version: '1.0.0', optional: true },
      'node_modules/typescript': { resolved: 'compiler', link: true },
      'node_modules/commander': { resolved: 'flags', link: true },
    },
  }),
  'tsconfig.json': '{ "include": [] }',
  'tsconfig.build.json': '{}', 'tsconfig.types.json': '{}', 'tsconfig.cjs.json': '{}',
  'scripts/page.mjs': '', 'scripts/charts.mjs': '', 'scripts/simulator.mjs': '',
}

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shardkv-bootstrap-'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  mkdirSync(join(folder, 'bin'))
  cpSync(join(checkout, 'bin/bootstrap.mjs'), join(folder, 'bin/bootstrap.mjs'))
})
afterEach(() => { rmSync(folder, { recursive: true }) })

const start = (program: string, args: readonly string[], more: Readonly<Record<string, string>>) => spawnSync(program, args, {
  cwd: folder, encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: folder, ...withoutNetwork, ...more },
})
/** What a command says before it does what it is for, and how it ends. */
const prepare = (more: Readonly<Record<string, string>> = {}): readonly [string, number | null] => {
  const program = 'import { ensureBuild, ensureDependencies } from "./bin/bootstrap.mjs"; ensureDependencies(); ensureBuild()'
  const { stderr, status } = start(process.execPath, ['--input-type=module', '--eval', program], more)
  return [stderr, status]
}

test('a fresh clone installs and builds once', () => {
  expect([prepare(), prepare()]).toEqual([[`${INSTALLING}${BUILDING}`, 0], ['', 0]])
}, TEST_MS_MAX)

test('NODE_ENV=production and .npmrc keep nothing from a fresh clone that the build needs', () => {
  writeFileSync(join(folder, '.npmrc'), 'omit[]=dev\nomit[]=optional\n')
  expect([prepare(production), prepare(production)]).toEqual([[`${INSTALLING}${BUILDING}`, 0], ['', 0]])
  expect(existsSync(join(folder, 'node_modules/commander'))).toBe(true)
}, TEST_MS_MAX)

test('a checkout that somebody installed without its compiler is installed as a whole', () => {
  const { status, stderr } = start('npm', ['ci', '--no-audit', '--no-fund'], production)
  expect([status, stderr, existsSync(join(folder, 'node_modules/typescript'))]).toEqual([0, '', false])
  expect([prepare(), prepare()]).toEqual([[`${INSTALLING}${BUILDING}`, 0], ['', 0]])
}, TEST_MS_MAX)

test('a checkout that calls itself installed and has no compiler is installed anew', () => {
  expect(prepare()[1]).toBe(0)
  for (const path of ['node_modules/typescript', 'dist']) rmSync(join(folder, path), { recursive: true })
  expect([prepare(), prepare()]).toEqual([[`${INSTALLING}${BUILDING}`, 0], ['', 0]])
}, TEST_MS_MAX)

test('what is built does without a compiler', () => {
  expect(prepare()[1]).toBe(0)
  rmSync(join(folder, 'node_modules/typescript'), { recursive: true })
  expect(prepare(production)).toEqual(['', 0])
}, TEST_MS_MAX)
