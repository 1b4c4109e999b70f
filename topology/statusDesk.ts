/**
 * Answers `kv.status`. Every node hears every question, and whoever may publish at all may ask:
 *
 *   a report takes the thread that Raft runs on,   so the desk rests after one, REST_TIMES as long as that took. Whoever asks meanwhile
 *   tens of milliseconds at a thousand shards      waits, and gets what is made for all who wait: made after it was asked for
 *   answers leave by the connection of beacons     so above a share of what that may hold nobody is answered (bus/answerRoom.ts)
 *   and of the failure detector
 *
 * Limit: WAITING_MAX wait. A rest is short enough for those who look whether a name is taken (topology/nameClaims.ts), who take silence for
 * a no: those that want to hear where nodes do are answered first, and while the connection takes anything. Clients may say that they do,
 * so of these NODES_WAITING_MAX wait.
 */

import { hasAnswerRoom } from '../bus/answerRoom.ts'
import { createRefusalLog } from '../bus/refusalLog.ts'
import { isReplyAllowed } from '../bus/subjects.ts'
import { statusAnswer } from './statusAnswer.ts'
import type { Cancel, Clock } from '../actors/kernel/clock.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { Bus } from '../bus/port.ts'
import type { NodeReport } from './report.ts'

const REST_TIMES = 19
const REST_MS_MAX = 200
const WAITING_MAX = 1_024
const NODES_WAITING_MAX = 64

export interface StatusDesk {
  readonly stop: () => void
}

export interface StatusDeskOptions {
  readonly bus: Pick<Bus, 'publish' | 'status' | 'subscribe'>
  readonly clock: Clock
  readonly log: Logger
  readonly subject: string
  readonly inboxPrefix: string
  /** Where nodes hear answers. */
  readonly nodesInbox: string
  readonly report: () => NodeReport
}

export const openStatusDesk = (options: StatusDeskOptions): StatusDesk => {
  const { bus, clock, report, inboxPrefix, nodesInbox } = options
  const unanswered = createRefusalLog(clock, options.log, 'a question for the status was not answered')
  /** Where answers are wanted: by nodes, and by others. */
  const nodes = new Set<string>()
  const others = new Set<string>()
  let cancel: Cancel | null = null
  let restsUntil = Number.NEGATIVE_INFINITY

  const answerAll = (): void => {
    const startedAt = clock.now()
    const answer = statusAnswer(report(), bus.status().maxPayloadBytes)
    const madeAt = clock.now()
    restsUntil = madeAt + Math.min(REST_MS_MAX, REST_TIMES * (madeAt - startedAt))
    for (const waiting of [nodes, others]) {
      for (const reply of waiting) {
        const outcome = waiting === others && !hasAnswerRoom(bus) ? 'busy' : bus.publish(reply, answer)
        if (outcome !== 'sent') unanswered.note(outcome, 'the connection holds what the broker has not taken, or does not take this')
      }
      waiting.clear()
    }
  }
  const ask = (reply: string): void => {
    const [waiting, max] = reply.startsWith(`${nodesInbox}.`) ? [nodes, NODES_WAITING_MAX] : [others, WAITING_MAX]
    if (waiting.size >= max) {
      unanswered.note('tooMany', `${max} others wait`)
      return
    }
    waiting.add(reply)
    if (cancel !== null) return
    const restMs = restsUntil - clock.now()
    if (restMs <= 0) answerAll()
    else cancel = clock.after(restMs, () => {
      cancel = null
      answerAll()
    })
  }
  const subscription = bus.subscribe(options.subject, ({ reply }) => {
    if (isReplyAllowed(reply, inboxPrefix)) ask(reply)
  })
  return {
    stop: () => {
      subscription.unsubscribe()
      cancel?.()
    },
  }
}
