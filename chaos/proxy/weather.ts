/**
 * What becomes of one message on a link. Control frames always pass in their order; so does everything while there is no weather.
 *
 * A broker that reorders or doubles a client's plain request would make an honest cluster execute it twice: that is outside the
 * product's promise. Only messages that are recognised when they come again are doubled: those between nodes, answers, batches of a
 * session, and requests with an id.
 */

import { chance, fraction } from '../../actors/kernel/random.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Frame } from './frames.ts'

export interface Weather {
  /** Of 1: messages that vanish. */
  readonly loss: number
  /** Of 1: messages that come twice. */
  readonly duplication: number
  /** Of 1: messages that later ones of their subject overtake. */
  readonly reordering: number
  /** The mean of what is added to every message, order kept, in ms. */
  readonly delayMsMean: number
}

export interface Fate {
  readonly copies: 0 | 1 | 2
  readonly delayMs: number
  /** Messages that come later do not wait for this one. */
  readonly isOvertaken: boolean
}

const OVERTAKEN_MS_MAX = 400
const DELAY_MS_MAX = 1_000
const passes: Fate = { copies: 1, delayMs: 0, isOvertaken: false }

export const drawFate = (random: Random, weather: Weather | null, frame: Frame): Fate => {
  if (weather === null || frame.subject === null) return passes
  if (chance(random, weather.loss)) return { copies: 0, delayMs: 0, isOvertaken: false }
  const copies = isRecognised(frame) && chance(random, weather.duplication) ? 2 : 1
  if (chance(random, weather.reordering)) return { copies, delayMs: fraction(random) * OVERTAKEN_MS_MAX, isOvertaken: true }
  const delayMs = weather.delayMsMean === 0 ? 0 : Math.min(DELAY_MS_MAX, -Math.log(1 - fraction(random)) * weather.delayMsMean)
  return { copies, delayMs, isOvertaken: false }
}

const isRecognised = ({ subject, headers }: Frame): boolean =>
  subject !== null && (/^(?:skv\.|_INBOX\.)/.test(subject) || /^Kv-Request-Id:/im.test(headers))
