/**
 * Asks every node on `kv.status` and gathers the answers: until all members have answered, or COLLECT_MS_MAX have passed, so that
 * `shardkv status` ends within 2 s while nodes are down. The question goes out again every ASK_AGAIN_MS, since core NATS delivers at
 * most once; of two answers of one node the later counts.
 */

import { CliError, ExitCode } from '../exit.ts'
import { byNumber } from './merge.ts'
import { spanningSubject } from '../../bus/subjects.ts'
import { reportIn } from '../../topology/statusReading.ts'
import type { Cancel, Clock } from '../../actors/kernel/clock.ts'
import type { Bus } from '../../bus/port.ts'
import type { NodeReport } from '../../topology/report.ts'

export const COLLECT_MS_MAX = 1_200
const ASK_AGAIN_MS = 500

export interface Collection {
  readonly bus: Bus
  readonly clock: Clock
  readonly prefix: string
  /** A subject that is only ours, where this user may hear. */
  readonly inbox: string
}

/** A report, and between which moments of this machine's wall clock it was made. */
export interface TimedReport {
  readonly report: NodeReport
  readonly askedMs: number
  readonly heardMs: number
}

export const collectReports = async (collection: Collection): Promise<readonly NodeReport[]> =>
  (await collectTimedReports(collection)).map(({ report }) => report)

export const collectTimedReports = ({ bus, clock, prefix, inbox }: Collection): Promise<readonly TimedReport[]> =>
  new Promise((resolve) => {
    const reports = new Map<string, TimedReport>()
    const askedMs = clock.wall()
    const deadline = clock.now() + COLLECT_MS_MAX
    let isDone = false
    let cancelNext: Cancel = () => {}
    const finish = (): void => {
      if (isDone) return
      isDone = true
      cancelNext()
      subscription.unsubscribe()
      resolve([...reports.values()].toSorted((a, b) => byNumber(a.report.node.id, b.report.node.id)))
    }
    const subscription = bus.subscribe(inbox, (message) => {
      const report = reportIn(message)
      if (report === null) return
      reports.set(report.node.id, { report, askedMs, heardMs: clock.wall() })
      if (report.members.every((member) => reports.has(member))) finish()
    })
    const ask = (): void => {
      if (isDone) return
      bus.publish(spanningSubject(prefix, 'status'), new Uint8Array(0), { reply: inbox })
      const left = deadline - clock.now()
      if (left <= 0) finish()
      else cancelNext = clock.after(Math.min(ASK_AGAIN_MS, left), ask)
    }
    ask()
  })

export const nobodyAnswers = (prefix: string): CliError => new CliError(ExitCode.unavailable,
  `the broker is there, but no node answers on ${prefix}.status; start one with "shardkv start", or give the right --prefix`)
