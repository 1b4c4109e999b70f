/**
 * `npm run mutants`: planted bugs, each of which must be caught (test/mutants, docs/TESTING.md).
 *
 *   npm run mutants                        replays what caught each mutant, with the bug (it fails) and without (it passes)
 *   npm run mutants -- M01 M07             only these
 *   npm run mutants -- --budget-seconds N  as many as fit, and says which were left out
 *   npm run mutants -- --search [--seeds 300] [--workers 1] [M01 ...]   looks for the first seed that catches each simulator mutant, and
 *                                          writes it into its file; one that is named is looked for even if a test catches it now
 *
 * Ends with `N passed, N failed`, and exit code 1 when a mutant survives, is stale, or its catcher fails without it, and when none was
 * tried at all; exit code 2 when there is no mutant of a name that was given.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureBuild, ensureDependencies, root } from '../bin/bootstrap.mjs'
import { natsServerOfTests } from '../bin/natsServer.mjs'

const SEEDS_MAX = 300
/** Of the budget, for runs with bugs; what is left is for the tests without. */
const BUGS_SHARE = 0.8

const USAGE = `npm run mutants -- [M01 ...] [--budget-seconds N] [--workers N]
npm run mutants -- --search [--seeds ${SEEDS_MAX}] [--workers N] [M01 ...]

Replays what caught each planted bug, with the bug and without; or looks for seeds of the simulator that catch them (docs/TESTING.md).
`

const readArguments = () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        search: { type: 'boolean', default: false }, seeds: { type: 'string' }, workers: { type: 'string' },
        'budget-seconds': { type: 'string' }, help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    process.stderr.write(`mutants: ${error.message}\n\n${USAGE}`)
    process.exit(2)
  }
}
const { values, positionals } = readArguments()
if (values.help) {
  process.stdout.write(USAGE)
  process.exit(0)
}

/** A number that a flag gives, or what holds without it; anything else ends the process with 2. */
const numberOf = (name, fallback, min) => {
  const number = values[name] === undefined ? fallback : Number(values[name])
  if (number >= min) return number
  process.stderr.write(`mutants: --${name} is a number from ${min}, not "${values[name]}"\n`)
  process.exit(2)
}
const seedsMax = numberOf('seeds', SEEDS_MAX, 1)
const workers = numberOf('workers', availableParallelism(), 1)
const budgetSeconds = numberOf('budget-seconds', Number.POSITIVE_INFINITY, 0)

ensureDependencies()
ensureBuild()
const { isShownBy, readMutants, staleness } = await import('../test/mutants/lib/catalogue.mjs')
const { runTests, runSeeds } = await import('../test/mutants/lib/sandbox.mjs')

const startedAt = Date.now()
const budgetMs = budgetSeconds * 1_000
/** Whether so much of the budget is spent. */
const isOver = (share = 1) => Date.now() - startedAt >= budgetMs * share
const say = (text) => process.stdout.write(`${text}\n`)

/** Takes jobs as workers become free. */
const inParallel = async (jobs) => {
  const waiting = [...jobs]
  const work = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) await job()
  }
  await Promise.all(Array.from({ length: workers }, work))
}

/** What a replay found out about one mutant; null when the budget left no time for it. */
const verdict = (isCaught, text) => ({ isCaught, text })

const replayWithBug = async (mutant) => {
  const stale = staleness(mutant)
  if (stale !== undefined) return verdict(false, stale)
  const { catcher } = mutant
  if (catcher.lane === 'test') {
    const [status] = (await runTests(mutant, [catcher])).values()
    if (status === 'timedOut') return verdict(true, `(timed out) ${catcher.name}`)
    return status === 'failed' ? verdict(true, catcher.name) : verdict(false, `survived: the test ${status}`)
  }
  const { violation, problem } = await runSeeds(mutant, { from: catcher.seed, to: catcher.seed })
  if (problem !== undefined) return verdict(false, problem)
  if (violation === null) return verdict(false, `survived seed ${catcher.seed}: search again (--search ${mutant.id})`)
  return isShownBy(catcher, violation) ? verdict(true, violation.invariant)
    : verdict(false, `seed ${catcher.seed} fails by something else: ${violation.invariant}`)
}

/** Whether the seed passes without a bug; each is run once, however many mutants it catches. */
const cleanSeeds = new Map()
const isCleanSeed = (seed) => {
  const known = cleanSeeds.get(seed)
  if (known !== undefined) return known
  const run = runSeeds(null, { from: seed, to: seed }).then((ended) =>
    ended.seed === seed && ended.violation === null && ended.problem === undefined)
  cleanSeeds.set(seed, run)
  return run
}

const notClean = verdict(false, 'what catches it fails without the bug as well')

/** Every bug, its seed without it, and in the end all tests without any: one run of jest. */
const replay = async (mutants) => {
  // Some of these tests speak with a real broker.
  if (mutants.some(({ catcher }) => catcher.lane === 'test')) process.env.SHARDKV_NATS_SERVER = (await natsServerOfTests()).path
  const verdicts = new Map()
  await inParallel(mutants.map((mutant) => async () => {
    if (isOver(BUGS_SHARE)) return
    const { id, catcher } = mutant
    verdicts.set(id, await replayWithBug(mutant))
    if (catcher.lane === 'sim' && !await isCleanSeed(catcher.seed)) verdicts.set(id, notClean)
  }))
  const replayed = mutants.filter(({ id }) => verdicts.has(id))
  const byTest = replayed.filter(({ catcher }) => catcher.lane === 'test')
  const statuses = byTest.length > 0 ? await runTests(null, byTest.map(({ catcher }) => catcher)) : new Map()
  for (const { id, catcher } of byTest) if (statuses.get(`${catcher.path}: ${catcher.name}`) !== 'passed') verdicts.set(id, notClean)
  printTable(replayed, verdicts)
  const left = mutants.filter(({ id }) => !verdicts.has(id)).map(({ id }) => id)
  if (left.length > 0) say(`The budget of ${values['budget-seconds']} s left no time for ${left.length} of ${mutants.length} mutants: ${left.join(' ')}`)
  const survived = replayed.filter(({ id }) => !verdicts.get(id).isCaught).map(({ id }) => id)
  const bySimulator = replayed.length - byTest.length
  const seedsNeededMax = Math.max(0, ...replayed.map(({ catcher }) => catcher.seedsNeeded ?? 0))
  return {
    passed: replayed.length - survived.length, failed: survived.length,
    figures: { mutants: mutants.length, replayed: replayed.length, bySimulator, byTest: byTest.length, seedsNeededMax, survived, leftOut: left },
  }
}

const TITLE_COLUMNS = 72
const CATCHER_COLUMNS = 96
/** What does not fit is cut: the whole is in the mutant's file. */
const column = (text, columns) => (text.length > columns ? `${text.slice(0, columns - 3)}...` : text.padEnd(columns))

const printTable = (mutants, verdicts) => {
  say(`${column('mutant', TITLE_COLUMNS)} ${column('caught by', CATCHER_COLUMNS)} seeds needed`)
  for (const { id, title, catcher } of mutants) {
    const { isCaught, text } = verdicts.get(id)
    const lane = catcher.lane === 'sim' ? 'sim' : catcher.path.replace(/^test\//, '').replace(/\.test\.ts$/, '')
    const by = isCaught ? column(`${lane}: ${text}`, CATCHER_COLUMNS) : `FAILED: ${text}`
    say(`${column(`${id} ${title}`, TITLE_COLUMNS)} ${by} ${catcher.seedsNeeded ?? ''}`.trimEnd())
  }
}

/** Seeds that fail by something that says nothing are passed over. */
const firstThatShows = async (mutant, from = 1) => {
  const found = await runSeeds(mutant, { from, to: seedsMax }, isOver)
  if (found.violation === null || isShownBy({}, found.violation)) return found
  return found.seed < seedsMax && !isOver() ? await firstThatShows(mutant, found.seed + 1) : { ...found, violation: null }
}

const search = async (mutants) => {
  const survived = []
  await inParallel(mutants.map((mutant) => async () => {
    const stale = staleness(mutant)
    if (stale === undefined && !isOver()) {
      const { seed, violation, problem } = await firstThatShows(mutant)
      if (violation !== null) {
        say(`${mutant.id} ${mutant.title}: seed ${seed}, ${violation.invariant}: ${violation.text.split('\n')[0]}`)
        note(mutant, seed, violation.invariant)
        return
      }
      say(`${mutant.id} ${mutant.title}: ${problem ?? `survived ${seed} seeds`}`)
    } else say(`${mutant.id} ${mutant.title}: ${stale ?? 'no time was left'}`)
    survived.push(mutant.id)
  }))
  const passed = mutants.length - survived.length
  return { passed, failed: survived.length, figures: { searched: mutants.length, found: passed, seedsMax, survived } }
}

/** A test that caught it until now is kept, as `elsewhere`: the simulator may lose it again. */
const note = (mutant, seed, invariant) => {
  const { path, name: _name, catcher: before, ...data } = mutant
  const elsewhere = before.lane === 'test' ? { elsewhere: before } : {}
  const text = JSON.stringify({ ...data, ...elsewhere, catcher: { lane: 'sim', seed, seedsNeeded: seed, invariant } }, null, 2)
  writeFileSync(path, `${text.replaceAll(/\{\s+("lane"[^}]*?)\s+\}/g, (_, inner) => `{ ${inner.replaceAll(/\s*\n\s*/g, ' ')} }`)}\n`)
}

/** On a budget every tree begins elsewhere in the list, so that what one run leaves out another takes. */
const inOrder = (mutants) => {
  if (!Number.isFinite(budgetMs)) return mutants
  const first = (Number(process.env.SHARDKV_SEED) || 0) % mutants.length
  return [...mutants.slice(first), ...mutants.slice(0, first)]
}

const isWanted = ({ id }) => positionals.length === 0 || positionals.includes(id)
const everyMutant = readMutants()
const unknown = positionals.filter((name) => !everyMutant.some(({ id }) => id === name))
if (unknown.length > 0) {
  process.stderr.write(`mutants: there is no ${unknown.join(', ')} in test/mutants\n`)
  process.exit(2)
}
const wanted = everyMutant.filter(isWanted)
const ended = values.search
  ? await search(wanted.filter(({ catcher }) => catcher.lane === 'sim' || positionals.length > 0))
  : await replay(inOrder(wanted))
const { passed, figures } = ended
const isIdle = passed + ended.failed === 0
if (isIdle) say('FAILED no planted bug was tried: nothing is proved')
const failed = ended.failed + (isIdle ? 1 : 0)

const folder = resolve(root, process.env.SHARDKV_FIGURES ?? '.figures')
const commit = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' }).stdout.trim()
mkdirSync(folder, { recursive: true })
// The night searches and replays: neither takes the other's place.
const lane = values.search ? 'mutants-search' : 'mutants'
writeFileSync(join(folder, `${lane}.json`), `${JSON.stringify({
  lane, commit, finishedAt: new Date().toISOString(), passed, failed, figures: { ...figures, seconds: (Date.now() - startedAt) / 1_000 },
}, null, 2)}\n`)
say(`${passed} passed, ${failed} failed`)
if (failed > 0) process.exitCode = 1
