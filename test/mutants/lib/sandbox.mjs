/** Runs of what catches mutants, as processes of their own: a mutant may loop for ever, or end its process. */

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { mutantsFolder, root } from './catalogue.mjs'

const lib = (name) => join(mutantsFolder, 'lib', name)
const JEST = join(root, 'node_modules', 'jest', 'bin', 'jest.js')
/** Seconds of work, but the machine may be shared by many; a mutant that never ends has been noticed by no check. */
const SEED_MS_MAX = 1_800_000
const TESTS_MS_MAX = 1_800_000
/** Laws draw their cases; with the same seed they draw the same, so that a mutant is not caught on some days only. */
const LAW_SEED = '1'

const environment = (mutant) => ({ ...process.env, SHARDKV_MUTANT: mutant?.name ?? '' })

const finished = (child, msMax) => new Promise((resolve) => {
  let timer = setTimeout(() => child.kill('SIGKILL'), msMax)
  child.on('exit', (code, signal) => {
    clearTimeout(timer)
    resolve({ code, signal })
  })
  child.restartClock = () => {
    clearTimeout(timer)
    timer = setTimeout(() => child.kill('SIGKILL'), msMax)
  }
})

/**
 * The first of the seeds that fails, with the mutant or (null) without: {seed, violation, problem}, where `seed` is the last that ran to its
 * end. Without a violation it is `to`, unless `isOver`, which is asked after each seed, said so.
 */
export const runSeeds = async (mutant, { from, to }, isOver = () => false) => {
  const child = spawn(process.execPath, ['--import', lib('plant.mjs'), lib('probe.mjs'), String(from), String(to)], {
    cwd: root, env: environment(mutant), stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  let last = { seed: from - 1, violation: null }
  child.stderr.on('data', (text) => { errors += text })
  const ended = finished(child, SEED_MS_MAX)
  for await (const line of createInterface({ input: child.stdout })) {
    last = JSON.parse(line)
    child.restartClock()
    if (last.violation === null && last.seed < to && isOver()) child.kill('SIGKILL')
  }
  const { code, signal } = await ended
  if (last.violation === null && code === 0 && last.seed < to) return { ...last, problem: `seed ${last.seed + 1} left no result` }
  if (last.violation === null && code !== 0 && !isOver()) {
    const what = signal === null ? `ended with code ${code}: ${errors.trim().split('\n').slice(0, 6).join(' | ')}` : 'did not come to an end'
    return { ...last, problem: `seed ${last.seed + 1} ${what}` }
  }
  return last
}

const quoted = (text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/**
 * Runs tests by their full names: a map of "path: name" to 'passed', 'failed', 'timedOut' or 'missing'. A file that does not even load has
 * no results, so its tests are missing: that would catch nothing.
 */
export const runTests = async (mutant, tests) => {
  const folder = mkdtempSync(join(tmpdir(), 'shardkv-mutants-'))
  try {
    const output = join(folder, 'results.json')
    const names = [...new Set(tests.map(({ name }) => `^${quoted(name)}$`))].join('|')
    const child = spawn(process.execPath, [
      '--experimental-vm-modules', '--no-warnings', JEST, '--json', `--outputFile=${output}`, '--testNamePattern', names,
      '--runTestsByPath', ...new Set(tests.map(({ path }) => path)), ...(mutant === null ? [] : ['--maxWorkers=1']),
    ], { cwd: root, env: { ...environment(mutant), SHARDKV_SEED: LAW_SEED }, stdio: 'ignore' })
    await finished(child, TESTS_MS_MAX)
    return resultsIn(output, tests)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const resultsIn = (output, tests) => {
  const statuses = new Map()
  for (const { name: path, assertionResults } of readReport(output)) {
    for (const result of assertionResults) statuses.set(`${path} ${result.fullName}`, statusOf(result))
  }
  return new Map(tests.map(({ path, name }) => [`${path}: ${name}`, statuses.get(`${join(root, path)} ${name}`) ?? 'missing']))
}

/** A bug that lets something wait for ever is caught by that alone; so would be any on a machine that is slow enough. */
const statusOf = ({ status, failureMessages = [] }) =>
  (failureMessages.length > 0 && failureMessages.every((message) => message.includes('Exceeded timeout')) ? 'timedOut' : status)

const readReport = (output) => {
  try {
    return JSON.parse(readFileSync(output, 'utf8')).testResults
  } catch {
    return []
  }
}
