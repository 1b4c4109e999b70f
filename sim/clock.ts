/**
 * Virtual time: one heap of events for the whole simulated cluster, and a Clock per node on top of it.
 *
 * Events of one instant run in the order they were scheduled, so a seed decides every interleaving. `defer` is
 * an event of the same instant: it runs after everything that arrived at that instant, which is what one turn of
 * a real event loop gathers.
 *
 * A process owns its events. A crashed process loses them. A paused one (SIGSTOP) keeps them; when it wakes,
 * what had arrived meanwhile is handed out in one turn before any timer fires: Node's poll phase comes first,
 * and that is the moment a deposed leader would execute its backlog (kernel/ticker.ts).
 *
 * Each node's monotonic clock runs at its own rate; its wall clock also has an offset and may jump.
 */

import type { Cancel, Clock } from '../actors/kernel/clock.ts'

export type EventKind = 'timer' | 'arrival'

export interface Process {
  readonly name: string
  state: 'running' | 'paused' | 'dead'
  /** What came due while paused, in order. */
  held: Pending[]
}

interface Pending {
  readonly at: number
  readonly sequence: number
  readonly process: Process | null
  readonly kind: EventKind
  /** Null once cancelled or run. */
  run: (() => void) | null
}

export interface ScheduleOptions {
  /** Owner; without one the event is the simulator's own and always runs. */
  readonly process?: Process
  /** `arrival` (bytes from outside, disk completions) is handed out before timers after a pause. */
  readonly kind?: EventKind
}

export interface Timeline {
  /** Virtual milliseconds since the start of the run. */
  readonly now: () => number
  readonly schedule: (delayMs: number, run: () => void, options?: ScheduleOptions) => Cancel
  /** Hands something to a process now, as part of the running event; kept while it is paused, dropped when it is dead. */
  readonly arrive: (process: Process, run: () => void) => void
  /** Runs every event up to and including virtual time `atMs`, then stands there. Stops early when `stop` was called. */
  readonly runUntil: (atMs: number) => void
  readonly stop: () => void
  readonly isStopped: () => boolean
  /** Events run so far. */
  readonly events: () => number
  /** Called after every event with its owner. */
  readonly afterEach: (listener: (process: Process | null) => void) => void
  readonly pause: (process: Process) => void
  readonly resume: (process: Process) => void
  /** Drops everything the process still waits for. */
  readonly crash: (process: Process) => void
}

export const createProcess = (name: string): Process => ({ name, state: 'running', held: [] })

export const createTimeline = (): Timeline => {
  const heap = createHeap()
  const listeners: ((process: Process | null) => void)[] = []
  let now = 0
  let sequence = 0
  let events = 0
  let isStopped = false
  /** Whose code the running event has entered. */
  let entered: Process | null = null

  const schedule = (delayMs: number, run: () => void, options: ScheduleOptions = {}): Cancel => {
    sequence += 1
    const pending: Pending = {
      at: now + Math.max(0, delayMs), sequence, process: options.process ?? null, kind: options.kind ?? 'timer', run,
    }
    heap.push(pending)
    return () => {
      pending.run = null
    }
  }

  const runOne = (pending: Pending): void => {
    const { run, process } = pending
    if (run === null || process?.state === 'dead') return
    if (process?.state === 'paused') {
      process.held.push(pending)
      return
    }
    pending.run = null
    events += 1
    entered = process
    run()
    for (const listener of listeners) listener(entered)
  }

  const nextBefore = (atMs: number): Pending | undefined => {
    const next = isStopped ? undefined : heap.peek()
    return next !== undefined && next.at <= atMs ? next : undefined
  }
  const wake = (process: Process): void => {
    const held = process.held
    process.held = []
    const isArrival = ({ kind }: Pending): boolean => kind === 'arrival'
    for (const pending of held.filter(isArrival)) runOne(pending)
    for (const pending of held) {
      if (!isArrival(pending)) schedule(0, () => pending.run?.(), { process })
    }
  }

  return {
    now: () => now,
    schedule,
    arrive: (process, run) => {
      if (process.state === 'dead') return
      if (process.state === 'paused') {
        sequence += 1
        process.held.push({ at: now, sequence, process, kind: 'arrival', run })
        return
      }
      entered = process
      run()
    },
    runUntil: (atMs) => {
      for (let next = nextBefore(atMs); next !== undefined; next = nextBefore(atMs)) {
        heap.pop()
        now = next.at
        runOne(next)
      }
      if (!isStopped) now = Math.max(now, atMs)
    },
    stop: () => {
      isStopped = true
    },
    isStopped: () => isStopped,
    events: () => events,
    afterEach: (listener) => {
      listeners.push(listener)
    },
    pause: (process) => {
      if (process.state === 'running') process.state = 'paused'
    },
    resume: (process) => {
      if (process.state !== 'paused') return
      process.state = 'running'
      wake(process)
    },
    crash: (process) => {
      process.state = 'dead'
      process.held = []
    },
  }
}

export interface NodeClockOptions {
  readonly timeline: Timeline
  readonly process: Process
  /** Monotonic milliseconds of this node per virtual millisecond: 0.99 to 1.01. */
  readonly rate: number
  /** What the node's wall clock shows at virtual time 0. */
  readonly wallStartMs: number
  /** Added to the wall clock, read at every call: a jump changes it. */
  readonly wallOffsetMs: () => number
  /** Until what is deferred has its turn: on a busy node others come before it. Absent: at once. */
  readonly turnMs?: number
}

export const createNodeClock = (options: NodeClockOptions): Clock => {
  const { timeline, process, rate, turnMs = 0 } = options
  return {
    now: () => timeline.now() * rate,
    wall: () => Math.floor(options.wallStartMs + timeline.now() * rate + options.wallOffsetMs()),
    after: (ms, fn) => timeline.schedule(ms / rate, fn, { process }),
    defer: (fn) => {
      timeline.schedule(turnMs, fn, { process, kind: 'arrival' })
    },
  }
}

interface Heap {
  readonly push: (pending: Pending) => void
  readonly peek: () => Pending | undefined
  readonly pop: () => void
}

const isBefore = (a: Pending, b: Pending): boolean => a.at < b.at || (a.at === b.at && a.sequence < b.sequence)

/** A binary heap ordered by time, then by sequence. */
const createHeap = (): Heap => {
  const items: Pending[] = []
  const siftUp = (from: number, pending: Pending): void => {
    let at = from
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = items[parentAt] as Pending
      if (!isBefore(pending, parent)) break
      items[at] = parent
      at = parentAt
    }
    items[at] = pending
  }
  const siftDown = (pending: Pending): void => {
    let at = 0
    for (;;) {
      let childAt = 2 * at + 1
      const left = items[childAt]
      if (left === undefined) break
      const right = items[childAt + 1]
      let child = left
      if (right !== undefined && isBefore(right, left)) {
        child = right
        childAt += 1
      }
      if (!isBefore(child, pending)) break
      items[at] = child
      at = childAt
    }
    items[at] = pending
  }
  return {
    push: (pending) => {
      items.push(pending)
      siftUp(items.length - 1, pending)
    },
    peek: () => items[0],
    pop: () => {
      const last = items.pop()
      if (last !== undefined && items.length > 0) siftDown(last)
    },
  }
}
