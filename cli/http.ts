/**
 * One request to a node's HTTP port. What limits it is silence, not the whole: a recording of a large cluster takes minutes to come, and
 * a node that has died says nothing.
 */

import type { HttpAnswer, HttpRequest } from './io.ts'

const MS_PER_SECOND = 1_000

/** Rejects when nobody listens there, the connection breaks, or nothing comes for `silenceMsMax`. */
export const http = async ({ url, method, headers, body, silenceMsMax }: HttpRequest): Promise<HttpAnswer> => {
  const silence = new AbortController()
  const timer = setTimeout(() => {
    silence.abort(new Error(`nothing came for ${silenceMsMax / MS_PER_SECOND} s`))
  }, silenceMsMax)
  try {
    const answer = await fetch(url, { method, headers, signal: silence.signal, redirect: 'error', ...(body === undefined ? {} : { body }) })
    const decoder = new TextDecoder()
    let text = ''
    for await (const bytes of answer.body ?? []) {
      timer.refresh()
      text += decoder.decode(bytes as Uint8Array, { stream: true })
    }
    return { status: answer.status, body: text + decoder.decode() }
  } finally {
    clearTimeout(timer)
  }
}
