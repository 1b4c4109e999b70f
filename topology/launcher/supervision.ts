/**
 * Supervision decided: which process is started, restarted, given up or stopped, and when. Plain functions over one state object;
 * time arrives in events, processes are effects. The order of phases is the chart's (machine.ts).
 *
 *   idle ──spawn──▶ starting ──ready──▶ ready ──exit──▶ backingOff ──due──▶ starting
 *                      │ exit 78, or START_ATTEMPTS_MAX exits without ever being ready
 *                      ▼
 *               refused, or left   every phase ──stop──▶ stopping ──exit──▶ stopped
 *
 * A node that is drained ends with 0, as one does that is stopped by a signal; only its next start says that it has left, by refusing.
 * That is meant, so it counts neither as failed nor towards a majority.
 *
 * Invariants: a child that has refused or left is never spawned again; while stopping nothing is spawned; every child that was spawned
 * is signalled until it has exited. A restart waits BACKOFF_MS_MIN, doubled for each exit in a row, up to BACKOFF_MS_MAX; a child that
 * was ready for STABLE_MS starts from the minimum again.
 */

import { must } from '../../actors/kernel/assert.ts'
import { EXIT_REFUSED, HAS_LEFT } from '../../actors/node/protocol.ts'
import type { ChildKind, ChildSpec, SupervisorEffect, SupervisorEvent } from './protocol.ts'

export const BACKOFF_MS_MIN = 250
export const BACKOFF_MS_MAX = 10_000
export const STABLE_MS = 30_000
/** A node that never became ready is given up after this many exits. A broker after the first: a taken port does not heal. */
export const START_ATTEMPTS_MAX = 5
/** How long a node may drain before it is killed: handing over every leadership, flushing, sealing the log. */
export const NODE_DRAIN_MS_MAX = 15_000
export const BROKER_STOP_MS_MAX = 5_000

type Phase = 'idle' | 'starting' | 'ready' | 'backingOff' | 'refused' | 'left' | 'stopping' | 'stopped'

interface Child {
  readonly name: string
  readonly kind: ChildKind
  readonly home: string
  phase: Phase
  wasReady: boolean
  readyAt: number
  restartAt: number
  /** Exits in a row without a stable life between them. */
  exits: number
  killAt: number
  isKilled: boolean
}

export interface Supervision {
  readonly children: readonly Child[]
  readonly effects: SupervisorEffect[]
  isStopping: boolean
  exitCode: number
}

export const createSupervision = (specs: readonly ChildSpec[]): Supervision => ({
  children: specs.map(({ name, kind, home = '' }) => ({
    name, kind, home, phase: 'idle', wasReady: false, readyAt: 0, restartAt: 0, exits: 0, killAt: Infinity, isKilled: false,
  })),
  effects: [],
  isStopping: false,
  exitCode: 0,
})

export const startAll = (core: Supervision, kind: ChildKind): void => {
  for (const child of ofKind(core, kind)) if (child.phase === 'idle') spawn(core, child)
}

export const isUp = (core: Supervision, kind: ChildKind): boolean =>
  ofKind(core, kind).every(({ phase }) => phase === 'ready' || phase === 'refused' || phase === 'left')

/**
 * The broker can not run, or so many of the nodes failed that the rest is no majority. Who has left is no member, and where all have, the
 * broker is there for members that somebody else starts.
 */
export const isHopeless = (core: Supervision): boolean => {
  const members = ofKind(core, 'node').filter(({ phase }) => phase !== 'left')
  const failed = members.filter(({ phase }) => phase === 'refused').length
  return (failed > 0 && 2 * failed >= members.length) || ofKind(core, 'broker').some(({ phase }) => phase === 'refused')
}

export const giveUp = (core: Supervision): void => {
  core.exitCode = 1
  say(core, 'shardkv can not start: the lines above say why')
}

export const isGone = (core: Supervision, kind: ChildKind): boolean =>
  ofKind(core, kind).every(({ phase }) => phase === 'stopped' || phase === 'idle' || phase === 'refused' || phase === 'left')

export const beginStop = (core: Supervision): void => {
  core.isStopping = true
  for (const child of core.children) if (child.phase === 'backingOff') child.phase = 'stopped'
}

/** Asks every living child of a kind to end; the tick kills those that take too long. */
export const stopAll = (core: Supervision, kind: ChildKind, now: number): void => {
  for (const child of ofKind(core, kind)) {
    if (child.phase !== 'starting' && child.phase !== 'ready') continue
    child.phase = 'stopping'
    child.killAt = now + (kind === 'node' ? NODE_DRAIN_MS_MAX : BROKER_STOP_MS_MAX)
    core.effects.push({ type: 'supervisor.signal', name: child.name, signal: 'SIGTERM' })
  }
}

export const killAll = (core: Supervision): void => {
  for (const child of core.children) {
    if (child.phase === 'starting' || child.phase === 'ready' || child.phase === 'stopping') kill(core, child)
  }
}

export const handleReady = (core: Supervision, event: Extract<SupervisorEvent, { type: 'supervisor.ready' }>): void => {
  const child = childNamed(core, event.name)
  if (child.phase !== 'starting') return
  if (child.wasReady) say(core, `${child.name} is back`)
  child.phase = 'ready'
  child.wasReady = true
  child.readyAt = event.now
}

export const handleExited = (core: Supervision, event: Extract<SupervisorEvent, { type: 'supervisor.exited' }>): void => {
  const child = childNamed(core, event.name)
  const how = `${event.signal === null ? `exit code ${event.code}` : event.signal}${event.reason === '' ? '' : `: ${event.reason}`}`
  if (core.isStopping) {
    if (child.phase !== 'stopping') say(core, `${child.name} ended (${how})`)
    child.phase = 'stopped'
    return
  }
  if (child.phase === 'ready' && event.now - child.readyAt >= STABLE_MS) child.exits = 0
  child.exits += 1
  if (event.code === EXIT_REFUSED && event.reason.includes(HAS_LEFT)) {
    child.phase = 'left'
    const cure = `"shardkv node --join --dir ${child.home}" brings it back`
    say(core, `${child.name} has left the cluster, as it was told, and is not started; ${cure}`)
    return
  }
  const attemptsMax = child.kind === 'broker' ? 1 : START_ATTEMPTS_MAX
  if (event.code === EXIT_REFUSED || (!child.wasReady && child.exits >= attemptsMax)) {
    child.phase = 'refused'
    say(core, `${child.name} can not run and is not restarted (${how}); cure that, then start again`)
    return
  }
  const waitMs = backoffMs(child.exits)
  child.phase = 'backingOff'
  child.restartAt = event.now + waitMs
  say(core, `${child.name} ended (${how}); restarting in ${(waitMs / 1000).toFixed(2)} s`)
}

export const handleTick = (core: Supervision, now: number): void => {
  for (const child of core.children) {
    if (child.phase === 'backingOff' && now >= child.restartAt) spawn(core, child)
    if (child.phase === 'stopping' && now >= child.killAt && !child.isKilled) {
      say(core, `${child.name} takes too long to stop and is killed`)
      kill(core, child)
    }
  }
}

export const backoffMs = (exits: number): number => Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** (exits - 1))

/** For the shell's probes: who is being waited for. */
export const startingNames = (core: Supervision): readonly string[] =>
  core.children.filter(({ phase }) => phase === 'starting').map(({ name }) => name)

const spawn = (core: Supervision, child: Child): void => {
  child.phase = 'starting'
  core.effects.push({ type: 'supervisor.spawn', name: child.name })
}

const kill = (core: Supervision, child: Child): void => {
  child.phase = 'stopping'
  child.isKilled = true
  core.effects.push({ type: 'supervisor.signal', name: child.name, signal: 'SIGKILL' })
}

const say = (core: Supervision, text: string): void => {
  core.effects.push({ type: 'supervisor.say', text })
}

const ofKind = (core: Supervision, kind: ChildKind): readonly Child[] => core.children.filter((child) => child.kind === kind)

const childNamed = (core: Supervision, name: string): Child =>
  must(core.children.find((child) => child.name === name), `${name} is a supervised child`)
