/** What faults are given to work with. */

import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Timeline } from './clock.ts'
import type { Cluster, Machine } from './cluster.ts'
import type { Network } from './network.ts'
import type { Trace } from './trace.ts'

export interface FaultsInput {
  readonly cluster: Cluster
  readonly network: Network
  readonly timeline: Timeline
  readonly random: Random
  readonly trace: Trace
  /** The names of the nodes that lead something now. */
  readonly leaders: () => readonly string[]
  /** Of all that were ever committed. */
  readonly newestMap: () => ClusterState
  /** How long a silent node is waited for. */
  readonly lostAfterMs: number
}

/** How a node ended by itself. */
export interface Exit {
  readonly code: number
  readonly reason: string
}

export interface FaultContext extends FaultsInput {
  /** False once everything is being healed: nothing is taken back twice. */
  readonly isActive: () => boolean
  /** Starts the machine again after `ms`, or after a while, if it is to live. */
  readonly restart: (machine: Machine, ms?: number) => void
}

export type FaultAction = (context: FaultContext, machine: Machine) => void

export type Range = readonly [min: number, max: number]

export const say = ({ trace }: Pick<FaultContext, 'trace'>, kind: string, details: string): void =>
  trace.line('sim', 'fault', `${kind} ${details}`)
