/** Several recordings, each in order, as one by time. Holds one record of each. */

import type { ActorRecord } from './record.ts'

export async function* mergeByTime(parts: readonly AsyncIterator<ActorRecord, unknown>[]): AsyncGenerator<ActorRecord, void> {
  const heads: readonly Head[] = await Promise.all(parts.map(async (part) => ({ part, head: await headOf(part) })))
  for (;;) {
    let first: Head | null = null
    for (const one of heads) if (timeOf(one) < timeOf(first)) first = one
    if (first === null || first.head === null) return
    yield first.head
    first.head = await headOf(first.part)
  }
}

interface Head {
  readonly part: AsyncIterator<ActorRecord, unknown>
  head: ActorRecord | null
}

const timeOf = (one: Head | null): number => one?.head?.at ?? Number.POSITIVE_INFINITY

const headOf = async (part: AsyncIterator<ActorRecord, unknown>): Promise<ActorRecord | null> => {
  const next = await part.next()
  return next.done === true ? null : next.value
}
