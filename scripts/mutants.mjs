/**
 * `npm run mutants`: planted bugs, each of which must be caught (test/mutants, docs/TESTING.md).
 *
 *   npm run mutants                        replays what caught each mutant, with the bug (it fails) and without (it passes)
 *   npm run mutants -- M01 M07             only these
 *   npm run mutants -- --budget-seconds N  as many as fit, spread over the list; says which were left out
 *   npm run mutants -- --search [--seeds 300] [--workers 1] [M01 ...]   looks for the first seed that catches each simulator mutant,
 *                                                                       and writes it into its file
 *
 * Ends with `N passed, N failed`, and exit code 1 when a mutant survives, is stale, or its catcher fails without it.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureBuild, ensureDependencies, root } from '../bin/bootstrap.mjs'

const SEEDS_MAX = 300

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    search: { type: 'boolean', default: false }, seeds: { type: 'string' }, workers: { type: 'string' }, 'budget-seconds': { type: 'string' },
  },
})

ensureDependencies()
ensureBuild()
const { readMutants, staleness } = await import('../test/mutants/lib/catalogue.mjs')
const { runTests, runSeeds } = await import('../test/mutants/lib/sandbox.mjs')

const startedAt = Date.now()
const budgetMs = Number(values['budget-seconds'] ?? Number.POSITIVE_INFINITY) * 1_000
const isOver = () => Date.now() - startedAt > budgetMs
const say = (text) => process.stdout.write(`${text}\n`)

/** Takes jobs as workers become free. */
const inParallel = async (jobs) => {
  const waiting = [...jobs]
  const work = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) await job()
  }
  await Promise.all(Array.from({ length: Number(values.workers ?? availableParallelism()) }, work))
}

/** What a replay found out about one mutant; null when the budget left no time for it. */
const verdict = (isCaught, text) => ({ isCaught, text })

const replayWithBug = async (mutant) => {
  const stale = staleness(mutant)
  if (stale !== undefined) return verdict(false, stale)
  const { catcher } = mutant
  if (catcher.lane === 'test') {
    const [status] = (await runTests(mutant, [catcher])).values()
    return status === 'failed' ? verdict(true, catcher.name) : verdict(false, `survived: the test ${status}`)
  }
  const { violation, problem } = await runSeeds(mutant, { from: catcher.seed, to: catcher.seed })
  if (problem !== undefined) return verdict(false, problem)
  return violation === null ? verdict(false, `survived seed ${catcher.seed}: search again (--search ${mutant.id})`) : verdict(true, violation.invariant)
}

/** The catchers of these mutants, each once and without a bug: the names of those that do not pass. */
const replayClean = async (mutants) => {
  const failed = new Set()
  const tests = mutants.map(({ catcher }) => catcher).filter(({ lane }) => lane === 'test')
  const seeds = new Set(mutants.map(({ catcher }) => catcher).filter(({ lane }) => lane === 'sim').map(({ seed }) => seed))
  const jobs = [...seeds].map((seed) => async () => {
    const { violation, problem } = await runSeeds(null, { from: seed, to: seed })
    if (violation !== null || problem !== undefined) failed.add(`seed ${seed}`)
  })
  if (tests.length > 0) {
    jobs.unshift(async () => {
      for (const [name, status] of await runTests(null, tests)) if (status !== 'passed') failed.add(name)
    })
  }
  await inParallel(jobs)
  return { failed, ran: seeds.size + new Set(tests.map(({ path, name }) => `${path} ${name}`)).size }
}

const catcherName = ({ lane, seed, path, name }) => (lane === 'sim' ? `seed ${seed}` : `${path}: ${name}`)

const replay = async (mutants) => {
  const verdicts = new Map()
  await inParallel(mutants.map((mutant) => async () => {
    if (!isOver()) verdicts.set(mutant.id, await replayWithBug(mutant))
  }))
  const replayed = mutants.filter(({ id }) => verdicts.has(id))
  const clean = await replayClean(replayed)
  for (const mutant of replayed) {
    if (clean.failed.has(catcherName(mutant.catcher))) verdicts.set(mutant.id, verdict(false, 'its catcher fails without the bug as well'))
  }
  printTable(replayed, verdicts)
  const survived = replayed.filter(({ id }) => !verdicts.get(id).isCaught)
  const left = mutants.length - replayed.length
  if (left > 0) say(`The budget left no time for ${left} of ${mutants.length} mutants: ${mutants.filter(({ id }) => !verdicts.has(id)).map(({ id }) => id).join(' ')}`)
  const figures = {
    mutants: mutants.length, replayed: replayed.length, killed: replayed.length - survived.length, cleanRuns: clean.ran,
    bySimulator: replayed.filter(({ catcher }) => catcher.lane === 'sim').length,
    seedsNeededMax: Math.max(0, ...replayed.map(({ catcher }) => catcher.seedsNeeded ?? 0)), survived: survived.map(({ id }) => id),
  }
  return { passed: replayed.length - survived.length, failed: survived.length, figures }
}

const printTable = (mutants, verdicts) => {
  say(`${'mutant'.padEnd(66)} ${'caught by'.padEnd(72)} seeds`)
  for (const { id, title, catcher } of mutants) {
    const { isCaught, text } = verdicts.get(id)
    const lane = catcher.lane === 'sim' ? 'sim' : catcher.path.replace(/^test\//, '').replace(/\.test\.ts$/, '')
    say(`${`${id} ${title}`.padEnd(66)} ${(isCaught ? `${lane}: ${text}` : `FAILED: ${text}`).padEnd(72)} ${catcher.seedsNeeded ?? ''}`)
  }
}

const search = async (mutants) => {
  const seedsMax = Number(values.seeds ?? SEEDS_MAX)
  const survived = []
  await inParallel(mutants.map((mutant) => async () => {
    const stale = staleness(mutant)
    if (stale === undefined && !isOver()) {
      const { seed, violation, problem } = await runSeeds(mutant, { from: 1, to: seedsMax }, isOver)
      if (violation !== null) {
        say(`${mutant.id} ${mutant.title}: seed ${seed}, ${violation.invariant}: ${violation.text.split('\n')[0]}`)
        note(mutant, seed)
        return
      }
      say(`${mutant.id} ${mutant.title}: ${problem ?? `survived ${seed} seeds`}`)
    } else say(`${mutant.id} ${mutant.title}: ${stale ?? 'no time was left'}`)
    survived.push(mutant.id)
  }))
  const passed = mutants.length - survived.length
  return { passed, failed: survived.length, figures: { searched: mutants.length, found: passed, seedsMax, survived } }
}

const note = (mutant, seed) => {
  const { path, name: _name, ...data } = mutant
  const text = JSON.stringify({ ...data, catcher: { lane: 'sim', seed, seedsNeeded: seed } }, null, 2)
  writeFileSync(path, `${text.replace(/\{\s+("lane"[^}]*?)\s+\}/, (_, inner) => `{ ${inner.replaceAll(/\s*\n\s*/g, ' ')} }`)}\n`)
}

/** Every k-th, so that a small budget touches everything alike from run to run. */
const spread = (mutants) => (Number.isFinite(budgetMs) ? [...mutants].sort((a, b) => costOf(a) - costOf(b)) : mutants)
const costOf = ({ catcher }) => (catcher.lane === 'sim' ? 0 : 1)

const isWanted = ({ id }) => positionals.length === 0 || positionals.includes(id)
const wanted = readMutants().filter(isWanted)
const { passed, failed, figures } = values.search
  ? await search(wanted.filter(({ catcher }) => catcher.lane === 'sim'))
  : await replay(spread(wanted))

const folder = join(root, process.env.SHARDKV_FIGURES ?? '.figures')
const commit = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' }).stdout.trim()
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'mutants.json'), `${JSON.stringify({
  lane: 'mutants', commit, finishedAt: new Date().toISOString(), passed, failed, figures: { ...figures, seconds: (Date.now() - startedAt) / 1_000 },
}, null, 2)}\n`)
say(`${passed} passed, ${failed} failed`)
if (failed > 0) process.exitCode = 1
