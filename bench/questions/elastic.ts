/**
 * `bench elastic`: what do callers notice while a fourth node joins and while it is drained again? An open loop goes on all the time;
 * each run has a quiet phase, a join until nothing is left to do and every leader is where it is preferred, and a drain until the node's
 * process has ended. The bars are issue 5's.
 *
 * Keys moved are reckoned: the keys of a shard times the replicas that it has on other nodes afterwards. Bytes are what the broker read
 * beyond the rate of the quiet phase, so what callers wrote meanwhile is not in them.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { flag, wholeNumber } from '../../cli/flags.ts'
import { createRandom } from '../../actors/kernel/random.ts'
import { shardOf } from '../../topology/hash.ts'
import { connectDriver } from '../drivers/connect.ts'
import { withDriverFlag, withRunFlags, withWorkloadFlags } from '../flags.ts'
import { startPhasedLoop } from '../load/phases.ts'
import { createWorkload, keyName } from '../load/workload.ts'
import { printResult } from '../report.ts'
import { bytesReadBy } from '../sampling.ts'
import { createAdmin } from '../targets/admin.ts'
import { openFourthNode } from '../targets/fourthNode.ts'
import { withOwnProduct } from '../targets/use.ts'
import { fill, warm } from '../turns.ts'
import { endWith, flawsOf } from '../verdict.ts'
import { movedKeys, summaryOf, tableOf, verdictsOf } from './elasticReport.ts'
import type { Command } from 'commander'
import type { DriverFlags, RunFlags, WorkloadFlags } from '../flags.ts'
import type { PhasedLoop } from '../load/phases.ts'
import type { Admin } from '../targets/admin.ts'
import type { FourthNode } from '../targets/fourthNode.ts'
import type { ProductTarget } from '../targets/port.ts'
import type { ElasticRun, Move, Phase } from './elasticReport.ts'

interface ElasticFlags extends RunFlags, WorkloadFlags, DriverFlags {
  readonly rate: number
}

const KEYS = 200_000
const READ_SHARE = 0.5
const IN_FLIGHT_MAX = 16_000
const MOVED_WITHIN_MS = 600_000
const POLL_MS = 200
/** The launcher's name of it. */
const BROKER = 'nats-server'

export const addElastic = (program: Command): void => {
  const command = program.command('elastic').description('a fourth node joins under load and is drained again: what callers notice')
  withDriverFlag(withWorkloadFlags(withRunFlags(command, { runs: 3, seconds: 20 }), KEYS))
    .addOption(flag('--rate <count>', 'operations a second, half of them reads').argParser(wholeNumber(1, 1_000_000)).default(2_000))
    .action(askElastic)
}

const askElastic = (flags: ElasticFlags): Promise<void> => withOwnProduct(flags, async (target) => {
  const { keys, distribution, valueBytes, rate, runs } = flags
  const workload = { keys, distribution, valueBytes, readShare: READ_SHARE }
  await fill(target, workload)
  await warm(target, workload, flags.warmServersSeconds)
  const driver = await connectDriver(target.driver, target.at)
  const perform = createWorkload(driver, { ...workload, seed: 1 })
  const loop = startPhasedLoop(perform, { perSecond: rate, inFlightMax: IN_FLIGHT_MAX }, createRandom(1))
  const ground = { target, loop, flags, admin: createAdmin(target.admin ?? []), keysOf: await keysByShard(target, keys) }
  const rounds: ElasticRun[] = []
  for (let run = 1; run <= runs; run += 1) {
    rounds.push(await measureRun(ground))
    process.stderr.write(`run ${run}: ${verdictsOf(summaryOf(rounds.slice(-1))).join('; ')}\n`)
  }
  await loop.stop()
  await driver.close()
  const summary = summaryOf(rounds)
  const bars = verdictsOf(summary)
  await printResult(flags.json === true, { rate, keys, summary, bars, runs: rounds }, [tableOf(summary), ...bars].join('\n'))
  endWith(flawsOf(rounds.flatMap((round, i) => (['quiet', 'join', 'drain'] as const).map((phase) =>
    ({ what: `run ${i + 1}, ${phase}`, done: round[phase].load.done, failed: round[phase].load.failed })))))
})

interface Ground {
  readonly target: ProductTarget
  readonly loop: PhasedLoop
  readonly flags: ElasticFlags
  readonly admin: Admin
  /** By shard. */
  readonly keysOf: readonly number[]
}

const keysByShard = async (target: ProductTarget, keys: number): Promise<readonly number[]> => {
  const { shards } = await createAdmin(target.admin ?? []).shards()
  const counts = shards.map(() => 0)
  for (let i = 0; i < keys; i += 1) {
    const shard = shardOf(keyName(i), shards.length)
    counts[shard] = (counts[shard] ?? 0) + 1
  }
  return counts
}

const measureRun = async (ground: Ground): Promise<ElasticRun> => {
  const { flags: { seconds, warmUpMs }, target, admin } = ground
  await untilCalm(admin)
  await pause(warmUpMs)
  const quiet = await measurePhase(ground, () => pause(seconds * 1_000))
  const fourth = await openFourthNode(target)
  try {
    const join = await measureMove(ground, quiet, async () => {
      await fourth.start()
      await untilCalm(admin, fourth.id)
    })
    await pause(warmUpMs)
    const drain = await measureMove(ground, quiet, () => leave(admin, fourth))
    return { quiet, join, drain }
  } finally {
    await fourth.stop()
  }
}

const leave = async (admin: Admin, fourth: FourthNode): Promise<void> => {
  await admin.drain(fourth.id)
  await until(`${fourth.id} has left and its process has ended`, async () => {
    const state = (await admin.nodes()).nodes.find(({ id }) => id === fourth.id)?.state
    return state === 'left' && await fourth.hasEnded()
  })
}

const measurePhase = async ({ target, loop }: Pick<Ground, 'target' | 'loop'>, work: () => Promise<void>): Promise<Phase> => {
  const broker = target.pids[BROKER] ?? 0
  const before = await bytesReadBy(broker)
  const { seconds, load } = await loop.during(work)
  return { seconds, load, brokerBytes: await bytesReadBy(broker) - before }
}

const measureMove = async (ground: Ground, quiet: Phase, work: () => Promise<void>): Promise<Move> => {
  const before = await ground.admin.shards()
  const phase = await measurePhase(ground, work)
  const after = await ground.admin.shards()
  const bytes = Math.max(0, phase.brokerBytes - quiet.brokerBytes / quiet.seconds * phase.seconds)
  return { ...phase, ...movedKeys(before.shards, after.shards, ground.keysOf), bytes }
}

/** Nothing is left to do, leaders lead where they are preferred, and this node, where one is given, has a share. */
const untilCalm = (admin: Admin, node?: string): Promise<void> => until('nothing is left to do', async () => {
  const { moves, underWay, preferences, blocked } = await admin.plan()
  if (moves.length + underWay + preferences.length + blocked.length > 0) return false
  const { shards } = await admin.shards()
  const isAtHome = shards.every(({ leader, replicas }) => leader !== null && replicas[0]?.startsWith(`${leader}:`) === true)
  return isAtHome && (node === undefined || shards.some(({ replicas }) => replicas.some((id) => id.startsWith(`${node}:`))))
})

const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
  const deadline = performance.now() + MOVED_WITHIN_MS
  while (!await holds()) {
    if (performance.now() > deadline) throw new Error(`not in ${MOVED_WITHIN_MS / 1_000} s: ${what}`)
    await pause(POLL_MS)
  }
}
