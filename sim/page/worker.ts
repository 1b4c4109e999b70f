/**
 * The simulator as a worker of the page: it takes orders (observe/simulator/protocol.ts), moves its run on at the speed that is wished, and
 * tells what there is to see, some thirty times a second. Between two slices of work it listens.
 */

import { createSession } from './session.ts'
import type { FromSimulator, Speed, ToSimulator } from '../../observe/simulator/protocol.ts'
import type { Session } from './session.ts'

/** What a dedicated worker has. */
interface WorkerScope {
  onmessage: ((event: { readonly data: ToSimulator }) => void) | null
  readonly postMessage: (message: FromSimulator) => void
}

const SLICE_MS = 30
/** Virtual: the deadline of a slice is looked at so often. */
const PIECE_MS = 10
/** A slice does not catch up on more than this: the machine was busy, or the page was hidden. */
const BEHIND_MS_MAX = 200
const STEP_MS_MAX = 2_000

const scope = globalThis as unknown as WorkerScope
let session: Session | null = null
let number = 0
let speed: Speed = 1
let to: number | null = null
let isGoing = false
let timer: ReturnType<typeof setTimeout> | undefined
/** Where the run should be by the clock on the wall; a fraction of a millisecond adds up. */
let due = 0
let lookedAt = 0

const tell = (): void => {
  if (session === null) return
  scope.postMessage({
    type: 'simulator.seen', number, run: session.run(), isGoing, scene: session.scene(), records: session.takeRecords(),
  })
}

/** As far as the clock on the wall wants it, or as far as a slice of work goes. */
const goOn = (run: Session): void => {
  const started = performance.now()
  due = speed === null ? Number.POSITIVE_INFINITY : Math.max(due, run.now()) + Math.min(BEHIND_MS_MAX, started - lookedAt) * speed
  lookedAt = started
  const until = Math.floor(Math.min(due, to ?? Number.POSITIVE_INFINITY))
  while (run.now() < until && !run.isEnded() && performance.now() - started < SLICE_MS) {
    run.advance(Math.min(until, run.now() + PIECE_MS))
  }
  // What a slow machine could not do is not owed for ever.
  due = speed === null ? run.now() : Math.min(due, run.now() + BEHIND_MS_MAX)
  if (run.isEnded() || (to !== null && run.now() >= to)) isGoing = false
}

const turn = (): void => {
  if (session === null || !isGoing) return
  goOn(session)
  tell()
  if (isGoing) timer = setTimeout(turn, speed === null ? 0 : SLICE_MS)
}

const step = (run: Session): void => {
  const [before, end] = [run.news(), run.now() + STEP_MS_MAX]
  while (run.now() < end && !run.isEnded() && run.news() === before) run.advance(run.now() + 1)
}

const stand = (): void => {
  isGoing = false
  clearTimeout(timer)
}

const hear = (message: ToSimulator): void => {
  switch (message.type) {
    case 'simulator.open':
      stand()
      number = message.number
      session = createSession({ run: message.run, onProgress: tell })
      break
    case 'simulator.go':
      stand()
      speed = message.speed
      to = message.to
      isGoing = session !== null && !session.isEnded()
      lookedAt = performance.now()
      due = session?.now() ?? 0
      timer = setTimeout(turn, 0)
      break
    case 'simulator.stand': stand(); break
    case 'simulator.step':
      stand()
      if (session !== null) step(session)
      break
    case 'simulator.do': session?.act(message); break
    default: message satisfies never
  }
  tell()
}

scope.onmessage = ({ data }) => hear(data)
