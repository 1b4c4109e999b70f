/**
 * The shell of `shardkv start`: prepares the directory and the broker, then carries out what the supervisor decides (machine.ts).
 *
 * Once a tick it looks at every child: new log lines (warnings and errors go to the console), and, for one that is starting, whether it
 * is ready. That is asked of the child itself: its log may be on a full disk, which must keep no cluster from starting.
 */

import { createShell } from '../../actors/kernel/shell.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createLogTail } from './logTail.ts'
import { supervisorMachine } from './machine.ts'
import { createSupervision, startingNames } from './supervision.ts'
import type { Cancel, Clock } from '../../actors/kernel/clock.ts'
import type { LocalFiles } from '../../storage/localFiles.ts'
import type { LogTail } from './logTail.ts'
import type { ProcessExit, ProcessSpec, Processes, RunningProcess } from './processes.ts'
import type { ChildKind, SupervisorEffect, SupervisorEvent } from './protocol.ts'
import type { Supervision } from './supervision.ts'

export interface ChildPlan {
  readonly name: string
  readonly kind: ChildKind
  readonly process: ProcessSpec
  /** What it offers, for the table: `nats://127.0.0.1:4222`. */
  readonly address: string
  /** Whether it serves; of the broker also whether it is this very one. */
  readonly isReady: () => Promise<boolean>
  /** For a node: where its data is, and where its page. */
  readonly home?: string
  readonly healthPort?: number
}

export interface LauncherPorts {
  readonly files: LocalFiles
  readonly processes: Processes
  readonly clock: Clock
  /** A line for the person at the console. */
  readonly say: (line: string) => void
}

export interface LaunchPlan {
  readonly children: readonly ChildPlan[]
  /** Rows that are no child of ours, such as a broker of somebody else. */
  readonly alsoThere: readonly { readonly name: string; readonly address: string }[]
  readonly directory: string
}

export interface Launcher {
  /** The first call drains, the second kills. */
  readonly stop: () => void
  /** The launcher's exit code, once every child is gone. */
  readonly ended: Promise<number>
}

const TICK_MS = 100
const CONSOLE_LINES_PER_LOOK_MAX = 3

interface Child {
  readonly plan: ChildPlan
  readonly tail: LogTail
  running: RunningProcess | null
  /** A signal that came while the process was being started. */
  pendingSignal: 'SIGTERM' | 'SIGKILL' | null
  /** Tells this life of the child from an earlier one, for probes that come back late. */
  life: number
}

interface Run {
  readonly plan: LaunchPlan
  readonly ports: LauncherPorts
  readonly core: Supervision
  readonly children: ReadonlyMap<string, Child>
  readonly send: (event: SupervisorEvent) => void
  readonly fail: (error: unknown) => void
}

export const launch = (plan: LaunchPlan, ports: LauncherPorts): Launcher => {
  const core = createSupervision(plan.children)
  const children = new Map<string, Child>(plan.children.map((child) => [child.name, newChild(child, ports)]))
  let finish: (code: number) => void = () => {}
  const ended = new Promise<number>((resolve) => { finish = resolve })
  let cancelTick: Cancel = () => {}
  let hasEnded = false
  const end = (code: number): void => {
    hasEnded = true
    cancelTick()
    finish(code)
  }
  const fail = (error: unknown): void => {
    ports.say(`shardkv failed: ${error instanceof Error ? error.message : String(error)}`)
    for (const { running } of children.values()) running?.signal('SIGTERM')
    end(1)
  }
  const send = (event: SupervisorEvent): void => shell.send(event)
  const run: Run = { plan, ports, core, children, fail, send }
  const perform = (effect: SupervisorEffect): void => {
    if (effect.type === 'supervisor.exit') end(effect.code)
    else performEffect(run, effect)
  }
  const shell = createShell({ machine: supervisorMachine, input: { core }, effects: core.effects, perform, onFailure: fail })
  const tick = async (): Promise<void> => {
    await look(run)
    if (hasEnded) return
    send({ type: 'tick', now: ports.clock.now() })
    if (!hasEnded) cancelTick = ports.clock.after(TICK_MS, () => { tick().catch(fail) })
  }
  tick().catch(fail)
  return { stop: () => send({ type: 'supervisor.stop', now: ports.clock.now() }), ended }
}

const newChild = (plan: ChildPlan, ports: LauncherPorts): Child => ({
  plan, tail: createLogTail(ports.files, plan.process.logPath), running: null, pendingSignal: null, life: 0,
})

const performEffect = (run: Run, effect: Exclude<SupervisorEffect, { type: 'supervisor.exit' }>): void => {
  switch (effect.type) {
    case 'supervisor.spawn':
      startChild(run, childNamed(run, effect.name)).catch(run.fail)
      return
    case 'supervisor.signal':
      signalChild(childNamed(run, effect.name), effect.signal)
      return
    case 'supervisor.say':
      run.ports.say(effect.text)
      return
    case 'supervisor.announce':
      announce(run)
      return
  }
  effect satisfies never
}

const startChild = async (run: Run, child: Child): Promise<void> => {
  child.life += 1
  child.running = null
  child.pendingSignal = null
  await child.tail.restart()
  const running = await spawnChild(run, child)
  if (running === null) return
  child.running = running
  if (running.logProblem !== undefined) run.ports.say(`${child.plan.name} runs without its log: ${running.logProblem}`)
  if (child.pendingSignal !== null) running.signal(child.pendingSignal)
}

/** Null when the machine has no process to give at this time: that is an exit like any other, and is tried again like one. */
const spawnChild = async (run: Run, child: Child): Promise<RunningProcess | null> => {
  try {
    return await run.ports.processes.start(child.plan.process, (exit) => { childEnded(run, child, exit).catch(run.fail) })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    run.send({ type: 'supervisor.exited', name: child.plan.name, code: 1, signal: null, reason, now: run.ports.clock.now() })
    return null
  }
}

const signalChild = (child: Child, signal: 'SIGTERM' | 'SIGKILL'): void => {
  if (child.running === null) child.pendingSignal = signal
  else child.running.signal(signal)
}

const childEnded = async (run: Run, child: Child, exit: ProcessExit): Promise<void> => {
  await readLog(run, child)
  child.running = null
  const reason = exit.code === 127 && child.tail.lastReason() === ''
    ? `${child.plan.process.program} could not be started`
    : child.tail.lastReason()
  run.send({ type: 'supervisor.exited', name: child.plan.name, ...exit, reason, now: run.ports.clock.now() })
}

/** One look at every child: what it logged, and whether one that is starting is ready. */
const look = async (run: Run): Promise<void> => {
  const starting = new Set(startingNames(run.core))
  await Promise.all([...run.children.values()].map(async (child) => {
    const { life, plan } = child
    await readLog(run, child)
    if (!starting.has(plan.name) || child.running === null) return
    if (await plan.isReady() && child.life === life && child.running !== null) {
      run.send({ type: 'supervisor.ready', name: plan.name, now: run.ports.clock.now() })
    }
  }))
}

const readLog = async (run: Run, child: Child): Promise<void> => {
  const lines = await child.tail.read()
  const notable = lines.filter(({ level }) => level !== 'info')
  for (const { level, text } of notable.slice(0, CONSOLE_LINES_PER_LOOK_MAX)) run.ports.say(`${child.plan.name} ${level}: ${text}`)
  const hidden = notable.length - CONSOLE_LINES_PER_LOOK_MAX
  if (hidden > 0) run.ports.say(`${child.plan.name}: ${hidden} more such lines in ${child.plan.process.logPath}`)
}

const announce = (run: Run): void => {
  const { plan, ports, core } = run
  const absent = new Map(core.children.flatMap(({ name, phase }) => (phase === 'refused' || phase === 'left' ? [[name, phase]] : [])))
  const rows = [
    ...plan.alsoThere.map(({ name, address }) => [name, '-', address]),
    ...[...run.children.values()].map(({ plan: child, running }) => [
      child.name, absent.get(child.name) ?? String(running?.pid ?? '-'), child.address,
    ]),
  ]
  const header = ['NAME', 'PID', 'LISTENS ON']
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  ports.say('shardkv is ready')
  for (const row of [header, ...rows]) ports.say(`  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()}`)
  const page = plan.children.find(({ name, healthPort }) => healthPort !== undefined && !absent.has(name))?.healthPort
  if (page !== undefined) ports.say(`  watch it: http://127.0.0.1:${page}/`)
  ports.say(`  data and logs: ${plan.directory}`)
}

const childNamed = (run: Run, name: string): Child => must(run.children.get(name), `${name} is a child of the launcher`)
