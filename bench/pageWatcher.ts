/**
 * Somebody who watches as the Observatory's page does (observe/page/live.ts): the feed of all nodes from one of them, and the admin API's
 * questions as often as the page asks them while nothing changes. It reads and parses what comes and draws nothing: what is measured is
 * the cluster's part.
 */

import { setTimeout as pause } from 'node:timers/promises'

const POLL_MS = 2_000
/** So many polls for each that asks about membership, too. */
const CALM_POLLS = 5
const membership = ['/v1/cluster', '/v1/nodes', '/v1/shards', '/v1/moves', '/readyz']

export interface PageWatcher {
  /** Records that came so far. Throws when it watches no longer: the feed ended, or a question failed. */
  readonly records: () => number
  /** Rejects when it did not watch until now. */
  readonly stop: () => Promise<void>
}

/** Resolves once the feed speaks; throws where it is refused. `isDetailed`: every message, as in the Actors view's lanes. */
export const watchAsPage = async (admin: string, isDetailed: boolean): Promise<PageWatcher> => {
  const ending = new AbortController()
  const { signal } = ending
  let records = 0
  const answer = await fetch(`${admin}/v1/feed?detail=${isDetailed ? 1 : 0}`, { signal })
  if (!answer.ok || answer.body === null) throw new Error(`${admin}/v1/feed answered ${answer.status}`)
  const read = async (body: ReadableStream<Uint8Array>): Promise<void> => {
    let rest = ''
    for await (const text of body.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + text).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) records += recordsIn(block)
    }
    throw new Error(`${admin}/v1/feed has ended`)
  }
  const ask = async (path: string): Promise<unknown> => {
    const answered = await fetch(`${admin}${path}`, { signal })
    // A node that is not ready says so with an error.
    if (!answered.ok && path !== '/readyz') throw new Error(`${admin}${path} answered ${answered.status}`)
    return await answered.json()
  }
  const poll = async (): Promise<void> => {
    for (let i = 0; !signal.aborted; i += 1) {
      const questions = i % CALM_POLLS === 0 ? ['/v1/actors', ...membership] : ['/v1/actors']
      await Promise.all(questions.map(ask))
      await pause(POLL_MS, undefined, { signal })
    }
  }
  /** What ended it before it was told to, if anything did. */
  let failure: Error | null = null
  const noteFailure = (error: unknown): void => {
    if (!signal.aborted) failure ??= error instanceof Error ? error : new Error(String(error))
  }
  const ended = Promise.all([read(answer.body).catch(noteFailure), poll().catch(noteFailure)])
  return {
    records: () => {
      if (failure !== null) throw failure
      return records
    },
    stop: async () => {
      ending.abort()
      await ended
      if (failure !== null) throw failure
    },
  }
}

const recordsIn = (block: string): number => {
  const data = /^event: records\ndata: (.*)$/.exec(block)?.[1]
  return data === undefined ? 0 : (JSON.parse(data) as readonly unknown[]).length
}
