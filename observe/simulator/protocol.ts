/** What the page and its simulator, a worker, say to each other. Times are virtual milliseconds since the start of the run. */

import type { MoveStep } from '../../actors/topology/clusterState.ts'
import type { ActorRecord } from '../recorder/record.ts'
import type { Deed, SimulatedRun } from './address.ts'

/** Virtual milliseconds for a real one; null: as fast as it goes. */
export type Speed = number | null

export type ToSimulator =
  /** From the beginning; another run is forgotten. It stands until it is told to go. What is seen of it has its number. */
  | { readonly type: 'simulator.open'; readonly number: number; readonly run: SimulatedRun }
  /** Until `to`, or for ever. */
  | { readonly type: 'simulator.go'; readonly speed: Speed; readonly to: number | null }
  | { readonly type: 'simulator.stand' }
  /** To the next thing that is worth a word. */
  | { readonly type: 'simulator.step' }
  /** Now. What was yet to be done by the run's address is dropped: it is another run from here on. */
  | { readonly type: 'simulator.do'; readonly deed: Deed; readonly node: string }

export interface FromSimulator {
  readonly type: 'simulator.seen'
  readonly number: number
  /** With what was done by hand so far. */
  readonly run: SimulatedRun
  readonly isGoing: boolean
  readonly scene: Scene
  /** What was recorded since the last time; `at` is virtual. */
  readonly records: readonly ActorRecord[]
}

export type MachineCondition = 'running' | 'starting' | 'paused' | 'dead' | 'draining' | 'unused' | 'left'

export interface MachineSeen {
  readonly node: string
  readonly condition: MachineCondition
  readonly isCut: boolean
  /** The living nodes that take it for suspect, and for dead. */
  readonly suspectedBy: readonly string[]
  readonly buriedBy: readonly string[]
}

export interface ReplicaSeen {
  readonly node: string
  readonly role: 'learner' | 'follower' | 'preCandidate' | 'candidate' | 'leader' | 'halted' | 'away'
  readonly term: number
}

export interface MoveSeen {
  readonly id: number
  readonly add: string | null
  readonly remove: string | null
  readonly step: MoveStep
}

export interface GroupSeen {
  readonly shard: number
  /** The leader of the newest term. */
  readonly leader: string | null
  readonly term: number
  readonly replicas: readonly ReplicaSeen[]
  readonly move: MoveSeen | null
}

/** The cluster as it is, not as one of its nodes believes. */
export interface Scene {
  readonly now: number
  /** Nothing else can happen: the run is over, or an invariant does not hold. */
  readonly isEnded: boolean
  /** What the run is at. */
  readonly phase: 'faults' | 'healing' | 'ended'
  readonly machines: readonly MachineSeen[]
  readonly groups: readonly GroupSeen[]
  readonly events: number
  /** Writes that clients were told of as done. */
  readonly acknowledged: number
  /** Of everything that happened so far. */
  readonly digest: string
  readonly violation: { readonly invariant: string; readonly text: string } | null
}
