/**
 * `npm run chaos`: real brokers, real node processes, real files, and what can happen to them.
 *
 * Figures go to chaos.json in SHARDKV_FIGURES (default .figures), or to chaos-NAME.json with --name NAME, so that a second campaign leaves
 * those of the first.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureNatsServer } from '../topology/launcher/main.ts'
import { runCampaign } from './campaign.ts'
import { UsageError, asCommand, wholeNumberFrom1 } from '../lanes/usage.ts'
import { parseHistory } from './history.ts'
import { judgeHistory, problemsOf } from './judge.ts'
import { checkout } from './ground/checkout.ts'
import { nemesisNames } from './nemeses/all.ts'
import { killLeader } from './nemeses/killLeader.ts'
import { planCampaign } from './plan.ts'
import type { Planted } from './ground/hauntedBuild.ts'
import type { CampaignResult } from './campaign.ts'

const USAGE = `npm run chaos -- [--seed N] [--runs 8] [--seconds 40] [--nodes 3|5] [--brokers 1|3] [--nemesis NAME,...] [--budget-seconds N]
                 [--leader-kills 10] [--phase-seconds 4] [--name NAME]
npm run chaos -- --check FILE        judges a history alone
npm run chaos -- --list              names the nemeses

--verbose says each strike, --keep leaves histories of runs that passed, --plant FILE,... plants bugs that must be caught (docs/TESTING.md).
Ends with "N passed, N failed".
`

const SEED_DEFAULT = 42
/** Of Jepsen's schedules, and the calm before and between. */
const PHASES = 2
const PHASE_ROOM_SECONDS = 5
/** The exit code of who ends by a signal: this and its number. */
const SIGNALLED = 128

interface Command {
  readonly check: string | undefined
  readonly isList: boolean
  readonly seed: number
  readonly runs: number
  readonly seconds: number
  readonly nodes: number | undefined
  readonly brokers: number | undefined
  readonly nemeses: readonly string[] | undefined
  readonly leaderKills: number | undefined
  readonly phaseSeconds: number | undefined
  /** Of the lane, where one leaves its figures. */
  readonly lane: string
  readonly budgetSeconds: number | null
  readonly isVerbose: boolean
  readonly isKept: boolean
  readonly planted: readonly Planted[]
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

export const main = (args: readonly string[]): Promise<void> => asCommand({ name: 'chaos', usage: USAGE }, args, async () => {
  const command = readCommand(args)
  if (command.isList) for (const name of nemesisNames) say(name)
  else if (command.check !== undefined) checkFile(command.check)
  else await attack(command)
})

const readCommand = (args: readonly string[]): Command => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' }, runs: { type: 'string' }, seconds: { type: 'string' }, nodes: { type: 'string' },
      brokers: { type: 'string' }, nemesis: { type: 'string' }, 'budget-seconds': { type: 'string' },
      'leader-kills': { type: 'string' }, 'phase-seconds': { type: 'string' }, name: { type: 'string' },
      check: { type: 'string' }, plant: { type: 'string' },
      list: { type: 'boolean', default: false }, verbose: { type: 'boolean', default: false }, keep: { type: 'boolean', default: false },
    },
  })
  const nemeses = values.nemesis?.split(',')
  const unknown = nemeses?.find((name) => !nemesisNames.includes(name))
  if (unknown !== undefined) throw new UsageError(`there is no nemesis "${unknown}"; --list names them`)
  const seconds = wholeNumberFrom1('seconds', values.seconds) ?? 40
  const leaderKills = wholeNumberFrom1('leader-kills', values['leader-kills'])
  if (leaderKills !== undefined && nemeses?.includes(killLeader.name) === false) {
    throw new UsageError(`--leader-kills is of storms with ${killLeader.name}`)
  }
  const phaseSeconds = wholeNumberFrom1('phase-seconds', values['phase-seconds'])
  if (phaseSeconds !== undefined && seconds < phaseSeconds * PHASES + PHASE_ROOM_SECONDS) {
    throw new UsageError(`--seconds ${seconds} has no room for ${PHASES} phases of ${phaseSeconds} s and ${PHASE_ROOM_SECONDS} s more`)
  }
  return {
    check: values.check,
    isList: values.list,
    seed: wholeNumberFrom1('seed', values.seed) ?? Number(process.env['SHARDKV_SEED'] ?? SEED_DEFAULT),
    runs: wholeNumberFrom1('runs', values.runs) ?? 8,
    seconds,
    nodes: oneOf('nodes', values.nodes, [3, 5]),
    brokers: oneOf('brokers', values.brokers, [1, 3]),
    nemeses,
    leaderKills,
    phaseSeconds,
    lane: values.name === undefined ? 'chaos' : `chaos-${word('name', values.name)}`,
    budgetSeconds: wholeNumberFrom1('budget-seconds', values['budget-seconds']) ?? null,
    isVerbose: values.verbose,
    isKept: values.keep,
    planted: (values.plant?.split(',') ?? []).map(plantedIn),
  }
}

const plantedIn = (path: string): Planted => {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Planted
  } catch (error) {
    throw new UsageError(`--plant: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** It is a part of a file's name. */
const word = (name: string, text: string): string => {
  if (!/^[a-z0-9-]{1,40}$/.test(text)) throw new UsageError(`--${name} is a word of lower-case letters, digits and dashes, not "${text}"`)
  return text
}

const oneOf = (name: string, text: string | undefined, allowed: readonly number[]): number | undefined => {
  const value = wholeNumberFrom1(name, text)
  if (value !== undefined && !allowed.includes(value)) throw new UsageError(`--${name} is ${allowed.join(' or ')}`)
  return value
}

const checkFile = (path: string): void => {
  const history = parseHistory(readFileSync(path, 'utf8'))
  const judgement = judgeHistory(history)
  const problems = [...problemsOf(judgement), ...(judgement.checked > 0 ? [] : ['there is no operation in it: nothing is proved'])]
  for (const problem of problems) say(`chaos: FAILED: ${problem}`)
  const unsaid = [
    ...(history.isWhole ? [] : ['the history does not say that it is whole']),
    ...(history.shards === null ? ['it does not say of how many shards it is: revisions were compared by key alone'] : []),
  ]
  say([`chaos: ${judgement.checked} operations of ${path} checked`, ...unsaid].join('; '))
  finish(problems.length === 0 ? 1 : 0, problems.length === 0 ? 0 : 1)
}

const attack = async (command: Command): Promise<void> => {
  const { seed, runs, seconds, budgetSeconds, isVerbose, isKept, planted } = command
  const server = await ensureNatsServer((line) => { process.stderr.write(`${line}\n`) })
  if (server.path === undefined) {
    process.stderr.write(`${server.problem}\n`)
    process.exitCode = 1
    return
  }
  process.env['SHARDKV_NATS_SERVER'] = server.path
  exitOnSignals()
  const commit = commitHere()
  const plans = planCampaign(seed, { runs, seconds }, command)
  const result = await runCampaign({ plans, commit, budgetSeconds, isKept, isVerbose, planted, say })
  writeFigures(command.lane, commit, result)
  finish(result.passed, result.failed)
  // Timers of connections that are gone hold nobody up.
  process.exit()
}

/** What runs is ended at the exit of this process, which a signal that nobody listens to would skip. */
const exitOnSignals = (): void => {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => process.exit(SIGNALLED + constants.signals[name]))
}

const commitHere = (): string => {
  try {
    return execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], {
      cwd: checkout, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return 'unknown'
  }
}

const writeFigures = (lane: string, commit: string, { passed, failed, figures }: CampaignResult): void => {
  const folder = process.env['SHARDKV_FIGURES'] ?? join(checkout, '.figures')
  mkdirSync(folder, { recursive: true })
  const content = { lane, commit, finishedAt: new Date().toISOString(), passed, failed, figures }
  writeFileSync(join(folder, `${lane}.json`), `${JSON.stringify(content, null, 2)}\n`)
}

const finish = (passed: number, failed: number): void => {
  say(`${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}
