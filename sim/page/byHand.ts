/**
 * A run whose faults are somebody's: the stage, and what is done to it. Everything else is the run of every seed: nodes, network, disks,
 * clients, and the invariants after every event.
 *
 * Each deed happens between two events, at a whole virtual millisecond, after all that was due by then. So a list of them replays.
 */

import { activeNodes } from '../../actors/topology/clusterState.ts'
import { newestState } from '../mapFaults.ts'
import { ownerOf } from '../network.ts'
import { calmOptions } from '../options.ts'
import type { Command, Deed, RunByHand } from '../../observe/simulator/address.ts'
import type { Machine } from '../cluster.ts'
import type { SimOptions } from '../options.ts'
import type { Simulation } from '../simulation.ts'

/** Machines that are there from the start and in no cluster, until somebody lets them join. */
const JOINERS = 2
const CLIENTS = 3
const THINK_MS_MEAN = 100

export const optionsByHand = ({ seed, nodes, shards, loss, delayMs }: RunByHand): SimOptions => {
  const base = calmOptions(seed)
  return {
    ...base,
    nodes, shards, joiners: JOINERS,
    safetyMs: Number.MAX_SAFE_INTEGER,
    network: { ...base.network, loss, delayMsMean: delayMs },
    workload: { ...base.workload, clients: CLIENTS, thinkMsMean: THINK_MS_MEAN, burstMax: 1, largeValues: 0 },
  }
}

/** Who is cut off: from other nodes and from clients. */
export type Cuts = Set<string>

/** Null when it was done; otherwise why it makes no sense now. */
export const perform = (simulation: Simulation, cuts: Cuts, { deed, node }: Pick<Command, 'deed' | 'node'>): string | null => {
  const machine = simulation.cluster.machines.find(({ id }) => id === node)
  if (machine === undefined) return `there is no ${node}`
  const problem = problemOf(machine, cuts, deed)
  if (problem !== null) return problem
  simulation.trace.line('sim', 'fault', `${deed} ${node}`)
  deedsByName[deed](simulation, machine, cuts)
  return null
}

const problemOf = ({ id, node, process, isInUse }: Machine, cuts: Cuts, deed: Deed): string | null => {
  const isThere = node !== null
  const isPossible = {
    kill: isThere, start: isInUse && !isThere, pause: isThere && process.state === 'running', resume: process.state === 'paused',
    cut: !cuts.has(id), heal: cuts.has(id), join: !isInUse && !isThere, drain: isInUse,
  }[deed]
  return isPossible ? null : `${deed} makes no sense for ${id} now`
}

type DeedAction = (simulation: Simulation, machine: Machine, cuts: Cuts) => void

/** Nobody talks with who is cut off but itself. */
const applyCuts = ({ network }: Simulation, cuts: Cuts): void => {
  const isOff = new Set(cuts)
  network.cut((from, to) => {
    const [a, b] = [ownerOf(from), ownerOf(to)]
    return a !== b && (isOff.has(a) || isOff.has(b))
  })
}

const deedsByName: Readonly<Record<Deed, DeedAction>> = {
  kill: ({ cluster }, machine) => cluster.kill(machine),
  start: ({ cluster }, machine) => cluster.start(machine),
  pause: ({ cluster }, machine) => cluster.pause(machine),
  resume: ({ cluster }, machine) => cluster.resume(machine),
  cut: (simulation, { id }, cuts) => {
    cuts.add(id)
    applyCuts(simulation, cuts)
  },
  heal: (simulation, { id }, cuts) => {
    cuts.delete(id)
    applyCuts(simulation, cuts)
  },
  join: ({ cluster }, machine) => cluster.join(machine),
  drain: (simulation, machine) => askToDrain(simulation, machine),
}

/** The first node that runs and can be reached is asked, as an operator would: it may say no, or not get it decided. */
const askToDrain = ({ cluster, timeline, trace }: Simulation, { id }: Machine): void => {
  const asked = cluster.machines.find(({ node, process }) => node?.parts() !== null && node !== null && process.state === 'running')
  if (asked === undefined) return
  const say = (words: string): void => trace.line('sim', 'fault', `drain ${id}: ${words}`)
  timeline.arrive(asked.process, () => {
    const state = newestState(cluster)
    if (state === null || !activeNodes(state).some((one) => one.id === id)) {
      say('it is no active member')
      return
    }
    const command = { kind: 'drainNode', node: id, isForced: false, expectedEpoch: state.epoch, at: 1, by: 'you', request: '' } as const
    asked.node?.propose(command, (outcome) => {
      say(outcome === null ? 'nobody decided' : outcome.kind === 'refused' ? outcome.message : outcome.kind)
    })
  })
}
