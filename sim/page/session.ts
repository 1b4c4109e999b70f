/**
 * One run that somebody watches: it is moved on piece by piece, in whole virtual milliseconds, and says what there is to see. The pieces
 * do not matter: the run is the same in one or in a thousand (test/sim/page/session.test.ts).
 *
 *   by hand   commands ──▶ at their times; new ones at the time that is, which drops those that were yet to come
 *   drawn     the safety phase piece by piece; then the cluster is healed and the books are checked at one go, while scenes go out
 */

import { RUN_MS_MAX } from '../../observe/simulator/address.ts'
import { drawOptions } from '../options.ts'
import { createSimRecording } from '../recording.ts'
import { failing, openRun } from '../run.ts'
import { WALL_START_MS } from '../wallClock.ts'
import { optionsByHand, perform } from './byHand.ts'
import { sceneOf } from './scene.ts'
import { createVerdicts } from './verdicts.ts'
import type { ActorRecord } from '../../observe/recorder/record.ts'
import type { Command, DrawnRun, SimulatedRun } from '../../observe/simulator/address.ts'
import type { Scene } from '../../observe/simulator/protocol.ts'
import type { SimOptions } from '../options.ts'

const MS_PER_MINUTE = 60_000
/** The session hands records on as they come; a ring is only what a recorder can not be without. */
const RING_BYTES = 64 * 1_024
/** Between two scenes while the end of a drawn run is at one go, in virtual milliseconds. */
const SCENE_MS = 250

export interface Session {
  readonly now: () => number
  readonly isEnded: () => boolean
  /** Up to and including virtual time `toMs`, or to the end. */
  readonly advance: (toMs: number) => void
  /** Now. Null when it was done; otherwise why it makes no sense. */
  readonly act: (what: Pick<Command, 'deed' | 'node'>) => string | null
  readonly run: () => SimulatedRun
  readonly scene: () => Scene
  /** Those since the last time. */
  readonly takeRecords: () => readonly ActorRecord[]
  /** How many things worth a word there were so far: states and notes, not what goes to and fro. */
  readonly news: () => number
}

export interface SessionOptions {
  readonly run: SimulatedRun
  /** During the end of a drawn run, now and then. */
  readonly onProgress?: () => void
}

export const createSession = ({ run, onProgress = () => {} }: SessionOptions): Session => {
  let records: ActorRecord[] = []
  let news = 0
  const verdicts = createVerdicts()
  const cuts = new Set<string>()
  const recording = createSimRecording({
    ringBytesMax: RING_BYTES,
    onRecord: (record) => {
      verdicts.add(record)
      if (isNews(record)) news += 1
      records.push({ ...record, at: record.at - WALL_START_MS })
    },
  })
  const options = optionsOf(run)
  const opened = openRun(options, { recording })
  const { simulation } = opened
  const { timeline } = simulation
  let phase: Scene['phase'] = 'faults'
  let commands: readonly Command[] = run.faults === 'byHand' ? run.commands : []
  let done = 0

  const runUntil = (toMs: number): void => failing(simulation, () => timeline.runUntil(toMs))
  const finish = (): void => {
    phase = 'healing'
    let shownAt = timeline.now()
    timeline.afterEach(() => {
      if (timeline.now() < shownAt + SCENE_MS) return
      shownAt = timeline.now()
      onProgress()
    })
    opened.finish()
    phase = 'ended'
  }
  const isEnded = (): boolean => phase === 'ended' || timeline.isStopped() || (run.faults === 'byHand' && timeline.now() >= RUN_MS_MAX)
  const performDue = (toMs: number): void => {
    for (let next = commands[done]; next !== undefined && next.at <= toMs && !isEnded(); next = commands[done]) {
      runUntil(next.at)
      perform(simulation, cuts, next)
      done += 1
    }
  }
  return {
    now: timeline.now,
    isEnded,
    advance: (toMs) => {
      if (isEnded()) return
      if (run.faults === 'drawn') {
        runUntil(Math.min(toMs, options.safetyMs))
        if (toMs > options.safetyMs || timeline.isStopped()) finish()
        return
      }
      performDue(toMs)
      runUntil(Math.min(toMs, RUN_MS_MAX))
    },
    act: (what) => {
      if (run.faults === 'drawn') return 'the faults of this run are drawn'
      if (isEnded()) return 'the run is over'
      const problem = perform(simulation, cuts, what)
      if (problem !== null) return problem
      commands = [...commands.slice(0, done), { ...what, at: timeline.now() }]
      done = commands.length
      return null
    },
    run: () => (run.faults === 'drawn' ? run : { ...run, commands }),
    scene: () => ({ ...sceneOf({ simulation, cuts, verdicts, phase }), isEnded: isEnded() }),
    takeRecords: () => {
      const taken = records
      records = []
      return taken
    },
    news: () => news,
  }
}

const isNews = ({ kind }: ActorRecord): boolean => kind === 'note' || kind === 'state'

const optionsOf = (run: SimulatedRun): SimOptions => (run.faults === 'byHand' ? optionsByHand(run) : drawnOptions(run))

const drawnOptions = ({ seed, nodes, shards, minutes }: DrawnRun): SimOptions => drawOptions(seed, {
  nodes: nodes ?? undefined, shards: shards ?? undefined, safetyMs: minutes === null ? undefined : minutes * MS_PER_MINUTE,
})
