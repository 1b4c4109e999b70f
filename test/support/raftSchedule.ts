/**
 * A random life of a Raft group, drawn from one seed: messages are lost, repeated and reordered, disks lag, members crash, sleep
 * and come back, snapshots are stored, leadership is handed over, and in half of the runs members come and go. The harness checks safety
 * after every event; afterwards everything heals and the group must come to agree, everybody in it.
 *
 * Time moves in steps of a fifth of a tick, and every member's ticks have a phase of their own, so that promises counted in
 * ticks are tested against real time. A sleeping member gets its ticks in one piece when it wakes, before any message
 * (kernel/ticker.ts).
 */

import { between, chance, createRandom, pick } from '../../actors/kernel/random.ts'
import { createHarness, idOf, numberOf } from './raftHarness.ts'
import type { ConfigurationOrder } from '../../actors/raft/protocol.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Harness, HarnessMember, HarnessOptions, Mail } from './raftHarness.ts'

export interface Fate {
  readonly loss: number
  readonly duplication: number
  readonly reorder: number
  readonly crash: number
  readonly sleep: number
  readonly partition: number
}

interface Run {
  readonly harness: Harness
  readonly random: Random
  readonly fate: Fate
  readonly asleep: Map<number, number>
  readonly tickedAt: number[]
  /** Members cut off from the others, and the steps until they are not. */
  cut: readonly number[]
  cutSteps: number
  proposals: number
  /** Orders given; some are given again, late. Empty for a group that stays as it is. */
  readonly orders: ConfigurationOrder[]
  readonly isElastic: boolean
}

const STEP_MS = 10
const TICK_MS = 50

/** Runs `steps` steps, heals, and returns what the run reached, for those who want to know whether it was a real one. */
export const runSchedule = (
  seed: number, steps: number, options: Pick<HarnessOptions, 'owesTicks' | 'onLine'> = {},
): { readonly committed: number, readonly terms: number } => {
  const random = createRandom(seed)
  const size = pick(random, [3, 3, 5, 4]) ?? 3
  const isElastic = seed % 2 === 1
  const ids = Array.from({ length: size }, (_, i) => idOf(i + 1))
  const harness = createHarness({
    size, seed, isWarm: false, ...options,
    configuration: { epoch: 0, voters: isElastic ? ids.slice(0, between(random, 1, size)) : ids, outgoing: [], learners: [] },
    limits: { tailEntriesMax: between(random, 0, 4), chunkBytesMax: 32, chunksInFlightMax: 2, appendBytesMax: 200, appendsInFlightMax: 4 },
  })
  const run: Run = {
    harness, random, fate: drawFate(random), asleep: new Map(), cut: [], cutSteps: 0, proposals: 0, orders: [], isElastic,
    tickedAt: harness.members.map(() => harness.now() - between(random, 0, TICK_MS - 1)),
  }
  harness.setRoute(({ from, to }) => run.cut.includes(numberOf(from)) === run.cut.includes(numberOf(to)) && !chance(random, run.fate.loss))
  for (let step = 0; step < steps; step += 1) takeStep(run)
  heal(run)
  return { committed: harness.safety.committedIndex(), terms: Math.max(...harness.members.map(({ core }) => core.term)) }
}

const drawFate = (random: Random): Fate => ({
  loss: pick(random, [0, 0.02, 0.1, 0.3]) ?? 0,
  duplication: pick(random, [0, 0.1, 0.4]) ?? 0,
  reorder: pick(random, [0, 0.1, 0.5]) ?? 0,
  crash: pick(random, [0, 0.003, 0.01]) ?? 0,
  sleep: pick(random, [0, 0.005]) ?? 0,
  partition: pick(random, [0, 0.002, 0.01]) ?? 0,
})

const takeStep = (run: Run): void => {
  const { harness, random, fate } = run
  const member = pick(random, harness.members) as HarnessMember
  const { number } = member
  harness.advance(STEP_MS)
  for (const each of harness.members) tickIfDue(run, each)
  for (let i = between(random, 0, 6); i > 0; i -= 1) deliverSome(run)
  for (const each of harness.members) {
    if (run.asleep.has(each.number)) continue
    if (chance(random, 0.5)) harness.writeOne(each.number)
    if (chance(random, 0.7)) harness.flush(each.number)
  }
  if (chance(random, 0.3)) act(run, number)
  if (chance(random, fate.crash)) crashOrRestart(run, member)
  if (chance(random, fate.sleep) && !run.asleep.has(number)) run.asleep.set(number, between(random, 10, 200))
  run.cutSteps -= 1
  if (run.cutSteps < 0) partition(run)
}

/** Long enough for an election behind the leader's back, which is when stale reads and old entries are to be had. */
const partition = (run: Run): void => {
  const { harness, random, fate } = run
  run.cut = []
  if (!chance(random, fate.partition)) return
  run.cutSteps = between(random, 20, 200)
  const leader = harness.members.find(({ isUp, core }) => isUp && core.role === 'leader')
  if (leader !== undefined && chance(random, 0.6)) run.cut = [leader.number]
  else run.cut = harness.members.map((each) => each.number).filter(() => chance(random, 0.4))
}

const tickIfDue = (run: Run, { number }: HarnessMember): void => {
  const left = run.asleep.get(number)
  if (left !== undefined && left > 0) {
    run.asleep.set(number, left - 1)
    return
  }
  run.asleep.delete(number)
  const tickedAt = run.tickedAt[number - 1] ?? 0
  const ticks = Math.floor((run.harness.now() - tickedAt) / TICK_MS)
  if (ticks < 1) return
  run.tickedAt[number - 1] = tickedAt + ticks * TICK_MS
  run.harness.tickOnly(number, ticks)
}

const deliverSome = (run: Run): void => {
  const { harness, random, fate } = run
  const { network } = harness
  if (network.length === 0) return
  const at = chance(random, fate.reorder) ? between(random, 0, network.length - 1) : 0
  const mail = network[at] as Mail
  if (run.asleep.has(numberOf(mail.to))) return
  if (!chance(random, fate.duplication)) network.splice(at, 1)
  harness.deliver(mail)
}

const act = (run: Run, number: number): void => {
  const { harness, random } = run
  if (run.asleep.has(number)) return
  const leaders = harness.members.filter(({ isUp, core }) => isUp && core.role === 'leader' && !run.asleep.has(numberOf(core.self)))
  const target = pick(random, leaders)?.number ?? number
  if (run.cut.length > 0 && leaders.length > 1) for (const each of leaders) harness.read(each.number)
  const choice = between(random, 0, 9)
  if (choice <= 4) {
    run.proposals += 1
    harness.propose(target, `v${run.proposals}`)
  } else if (choice <= 6) harness.read(target)
  else if (choice === 7) harness.read(target, true)
  else if (choice === 8) harness.snapshot(number)
  else if (run.isElastic && harness.member(target).isUp && chance(random, 0.5)) giveOrder(run, target)
  else if (chance(random, 0.1)) {
    harness.send(target, { type: 'raft.transferLeadership', to: (pick(random, harness.members) as HarnessMember).id })
  }
}

/** A new order, or an old one that comes late; to a leader, who need not be the newest. */
const giveOrder = (run: Run, number: number): void => {
  const { harness, random, orders } = run
  const late = chance(random, 0.2) ? pick(random, orders) : undefined
  const order = late ?? drawOrder(random, harness, orders.length + 1)
  if (late === undefined) orders.push(order)
  run.harness.order(number, order)
}

/** Voters that stay are any of those in force at some member, so an order may be wise, foolish or against the rules. */
const drawOrder = (random: Random, { members }: Harness, epoch: number): ConfigurationOrder => {
  const ids = members.map(({ id }) => id)
  const known = (pick(random, members) as HarnessMember).core.membership.configuration
  const voters = ids.filter((id) => (known.voters.includes(id) || known.learners.includes(id)) !== chance(random, 0.2))
  return { epoch, voters, learners: ids.filter((id) => !voters.includes(id) && chance(random, 0.6)) }
}

/** Brings everybody in: first as a learner, then with a vote. */
const bringIn = ({ harness, orders }: Run): void => {
  const { core, number } = harness.leader()
  const { voters } = core.membership.configuration
  const missing = harness.members.map(({ id }) => id).filter((id) => !voters.includes(id))
  const isListening = missing.length > 0 && missing.every((id) => core.membership.configuration.learners.includes(id))
  const epoch = Math.max(orders.length, core.membership.configuration.epoch) + 1
  if (isListening) harness.order(number, { epoch, voters: [...voters, ...missing], learners: [] })
  else if (missing.length > 0) harness.order(number, { epoch, voters, learners: missing })
}

const crashOrRestart = (run: Run, member: HarnessMember): void => {
  if (!member.isUp) {
    run.tickedAt[member.number - 1] = run.harness.now()
    run.harness.restart(member.number)
  } else if (run.harness.members.filter(({ isUp }) => isUp).length > 1) {
    run.asleep.delete(member.number)
    run.harness.crash(member.number)
  }
}

/** Everybody up, nothing lost: a proposal must reach every member's state, and a read must be answered. */
const heal = (run: Run): void => {
  const { harness } = run
  run.cut = []
  harness.setRoute(() => true)
  run.asleep.clear()
  for (const { number, isUp } of harness.members) if (!isUp) harness.restart(number)
  let checkedRead = -1
  for (let tick = 0; tick < 400; tick += 1) {
    harness.tick()
    const isLed = harness.members.some(({ core }) => core.role === 'leader')
    if (tick > 60 && tick % 20 === 0 && isLed) harness.propose(harness.leader().number, `healed ${tick}`)
    if (run.isElastic && tick > 40 && tick % 10 === 0 && isLed) bringIn(run)
    if (tick === 100) checkedRead = harness.read(harness.leader().number)
    if (tick > 100 && agree(harness) && harness.members.some(({ readyReads }) => readyReads.has(checkedRead))) return
  }
  throw new Error(`after healing the members do not agree: ${harness.members.map(({ core }) =>
    `${core.self} ${core.role} term=${core.term} commit=${core.commitIndex} emitted=${core.emittedIndex}`).join('; ')}`)
}

const agree = ({ members }: Harness): boolean => {
  const first = JSON.stringify((members[0] as HarnessMember).applied)
  return first.includes('healed') && members.every(({ applied, core }) => JSON.stringify(applied) === first && core.role !== 'halted')
}
