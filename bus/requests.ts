/**
 * Requests over publish and subscribe: all of a connection share one inbox subscription, made with the first of them.
 *
 * nats.js has this, too, but reads the headers of answers where nobody can catch what that throws (its reader then ends, and the connection
 * hears nothing more), buffers without bound while disconnected, and gives one code for a request and for an inbox that are denied.
 */

import { isMalformed } from './receivedHeaders.ts'
import { unmappedSubject } from './subjects.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Bus, BusEvent, Inbound, InboundHandler, RequestFailure, RequestOptions, Subscription } from './port.ts'

export interface RequestsOptions {
  readonly clock: Pick<Clock, 'after' | 'defer'>
  /** Only this connection's, without the final dot. */
  readonly inboxRoot: string
  /**
   * A token that no request of this connection had before. Who hears an answer knows where it came to, so where the next one will come
   * must not follow from that.
   */
  readonly newToken: () => string
  readonly publish: Bus['publish']
  /** Null when the connection is closed. */
  readonly subscribe: (subject: string, handler: InboundHandler) => Subscription | null
}

export interface Requests {
  readonly request: Bus['request']
  /** What the broker denies tells what became of requests. */
  readonly told: (event: BusEvent) => void
  readonly close: () => void
}

interface Pending {
  readonly subject: string
  readonly isAnswer: RequestOptions['isAnswer']
  readonly done: (failure: RequestFailure | null, answer: Inbound | null) => void
  readonly cancelTimer: () => void
}

export const createRequests = ({ clock, inboxRoot, newToken, publish, subscribe }: RequestsOptions): Requests => {
  const inboxes = `${inboxRoot}.*`
  const waiting = new Map<string, Pending>()
  let subscription: Subscription | null = null
  let isOpen = true

  const finish = (inbox: string, failure: RequestFailure | null, answer: Inbound | null): void => {
    const pending = waiting.get(inbox)
    if (pending === undefined) return
    waiting.delete(inbox)
    pending.cancelTimer()
    pending.done(failure, answer)
  }
  const onAnswer = (answer: Inbound): void => {
    if (answer.headers?.get('Status') === '503' && answer.data.length === 0) finish(answer.subject, 'noResponders', null)
    else if (waiting.get(answer.subject)?.isAnswer?.(answer) === false) return
    else if (isMalformed(answer.headers)) finish(answer.subject, 'unreadable', null)
    else finish(answer.subject, null, answer)
  }
  const request = (subject: string, data: Uint8Array, options: RequestOptions, done: Pending['done']): void => {
    if (isOpen) subscription ??= subscribe(inboxes, onAnswer)
    const inbox = `${inboxRoot}.${newToken()}`
    const cancelTimer = clock.after(options.timeoutMs, () => finish(inbox, 'timeout', null))
    waiting.set(inbox, { subject, isAnswer: options.isAnswer, done, cancelTimer })
    const headers = options.headers === undefined ? {} : { headers: options.headers }
    const isSent = isOpen && subscription !== null && publish(subject, data, { reply: inbox, ...headers }) === 'sent'
    if (!isSent) clock.defer(() => finish(inbox, 'closed', null))
  }
  /**
   * The broker names what its mapping made of a subject. Of several requests on one nobody knows which of them was denied: permissions may
   * have changed between them.
   */
  const denied = (subject: string): void => {
    const asked = unmappedSubject(subject)
    const same = [...waiting].filter(([, pending]) => pending.subject === subject || pending.subject === asked)
    for (const [inbox] of same) finish(inbox, same.length === 1 ? 'denied' : 'deniedAmong', null)
  }
  /** What was asked has been heard all the same. The next request tries the inbox again: permissions may change. */
  const deaf = (): void => {
    subscription?.unsubscribe()
    subscription = null
    // Whoever is told may ask again at once: that is another request, with an inbox that was asked for anew.
    const unheard = [...waiting.keys()]
    for (const inbox of unheard) finish(inbox, 'noInbox', null)
  }
  return {
    request,
    told: (event) => {
      if (event.type !== 'bus.permissionDenied') return
      if (event.operation === 'publish') denied(event.subject)
      else if (event.subject === inboxes) deaf()
    },
    close: () => {
      isOpen = false
      for (const inbox of waiting.keys()) clock.defer(() => finish(inbox, 'closed', null))
    },
  }
}
