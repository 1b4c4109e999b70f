/**
 * Is there an order of these operations, consistent with real time, in which every answer is right?
 *
 * Wing and Gong's search ("Testing and Verifying Concurrent Objects", 1993) with Lowe's memory of configurations
 * already tried ("Testing for linearizability", 2017), per key: keys are independent registers, so a history is
 * linearizable exactly when each key's is (Herlihy and Wing 1990, locality). The shape of the loop follows Horn
 * and Kroening (2015), as Porcupine does.
 *
 * The model of one key: absent, or a value with a revision. A revision is larger than every earlier one of its
 * key; a reader and a compare see it exactly. After an operation of unknown outcome the revision is not known
 * until somebody sees it, but for the least that it can be: whatever takes its place has a larger one.
 *
 * An operation of unknown outcome may be placed anywhere after its invocation, also after everything else, which
 * is the same as never. Five facts keep the search narrow, and lose nothing. Known revisions only grow, so
 * mutations that own one are placed in their order. Deletions of unknown outcome are alike, and so are
 * increments by the same amount, so they are placed in the order of their invocation: any other order can be
 * turned into this one by exchanging two of them. An operation of unknown outcome is placed only where it changes
 * something, and not where a put follows at once, which nobody's answer tells from what was there before: with
 * it left for later every answer that fits still fits, since the floor is no higher. On a key that only grows an increment of unknown
 * outcome is placed only where it helps to reach the value that was seen next (growth.ts).
 *
 * The search gives up after `stepsMax` steps: that is a failure of the check, never a pass.
 */

import { createGrowth } from './growth.ts'
import type { HistoryOperation } from './history.ts'

export type Verdict =
  | { readonly kind: 'linearizable'; readonly operations: number }
  | { readonly kind: 'violation'; readonly key: string; readonly operations: readonly HistoryOperation[] }
  | { readonly kind: 'tooHard'; readonly key: string; readonly steps: number }

const STEPS_MAX = 4_000_000
/** How many operations of a violation are shown: those around the first answer that no order explains. */
const SHOWN_MAX = 24

export const checkLinearizability = (history: readonly HistoryOperation[], stepsMax = STEPS_MAX): Verdict => {
  let operations = 0
  for (const [key, ofKey] of partitionByKey(history)) {
    const result = checkKey(ofKey, stepsMax)
    operations += ofKey.length
    if (result.kind === 'tooHard') return { kind: 'tooHard', key, steps: stepsMax }
    if (result.kind === 'violation') return { kind: 'violation', key, operations: around(ofKey, result.deepest) }
  }
  return { kind: 'linearizable', operations }
}

const partitionByKey = (history: readonly HistoryOperation[]): Map<string, HistoryOperation[]> => {
  const byKey = new Map<string, HistoryOperation[]>()
  for (const operation of history) {
    if (operation.outcome.kind === 'failed' || isUselessRead(operation)) continue
    const known = byKey.get(operation.key)
    if (known === undefined) byKey.set(operation.key, [operation])
    else known.push(operation)
  }
  return byKey
}

/** A read without an answer says nothing, and a stale one promises nothing. */
const isUselessRead = ({ call, outcome, consistency }: HistoryOperation): boolean =>
  call.kind === 'get' && (outcome.kind === 'unknown' || consistency === 'stale')

const around = (operations: readonly HistoryOperation[], at: number): HistoryOperation[] =>
  operations.filter(({ invokedAt, completedAt }) => invokedAt <= at && completedAt >= at - 2_000).slice(-SHOWN_MAX)

interface KeyState {
  /** Null when absent. */
  readonly value: string | null
  /** The key's revision; UNSEEN when an unknown outcome set it. */
  readonly revision: number
  /** Every later revision is larger. Of a key whose revision nobody has seen it is the least that this can be. */
  readonly floor: number
}

const UNSEEN = -1
const absent: KeyState = { value: null, revision: 0, floor: 0 }

/** The state after `operation` in `state`, or null when its answer would be wrong there. */
const step = (state: KeyState, operation: HistoryOperation): KeyState | null => {
  const { call, outcome } = operation
  if (outcome.kind === 'unknown') return stepUnknown(state, operation)
  if (outcome.kind === 'failed') return state
  if (outcome.status === 'CONFLICT') return call.kind === 'cas' ? stepConflict(state, call.ifRevision, outcome.revision) : null
  switch (call.kind) {
    case 'get': return outcome.status === 'NOT_FOUND' ? ifAbsent(state) : stepSeen(state, outcome)
    case 'put': return written(state, call.value, outcome.revision)
    case 'cas': return hasRevision(state, call.ifRevision) ? written(seenAt(state, call.ifRevision), call.value, outcome.revision) : null
    case 'del': return outcome.status === 'NOT_FOUND' ? ifAbsent(state) : stepDeleted(state, outcome.revision)
    // Keys that expire are not searched: expiry is no operation of a client.
    case 'touch': return null
    case 'incr': {
      const sum = sumOf(state, call.amount)
      if (outcome.status === 'INVALID') return sum === null ? state : null
      return sum !== null && sum === outcome.value ? written(state, sum, outcome.revision) : null
    }
  }
  call satisfies never
  return null
}

const stepUnknown = (state: KeyState, { call }: HistoryOperation): KeyState => {
  switch (call.kind) {
    case 'get':
    case 'touch': return state
    case 'put': return writtenUnseen(state, call.value)
    case 'cas': return hasRevision(state, call.ifRevision) ? writtenUnseen(seenAt(state, call.ifRevision), call.value) : state
    case 'del': return state.value === null ? state : { value: null, revision: 0, floor: state.floor + 1 }
    case 'incr': {
      const sum = sumOf(state, call.amount)
      return sum === null ? state : writtenUnseen(state, sum)
    }
  }
  call satisfies never
  return state
}

const ifAbsent = (state: KeyState): KeyState | null => (state.value === null ? state : null)

const stepSeen = (state: KeyState, seen: { readonly value?: string; readonly revision: number }): KeyState | null => {
  if (state.value === null || state.value !== seen.value || !hasRevision(state, seen.revision)) return null
  return seenAt(state, seen.revision)
}

const stepConflict = (state: KeyState, wanted: number, found: number): KeyState | null => {
  if (found === wanted || !hasRevision(state, found)) return null
  return seenAt(state, found)
}

/** The same state, by somebody who sees its revision; it has it, or may have. */
const seenAt = (state: KeyState, revision: number): KeyState =>
  (state.value === null || state.revision === revision ? state : { value: state.value, revision, floor: revision })

const stepDeleted = (state: KeyState, revision: number): KeyState | null =>
  (state.value === null || revision <= state.floor ? null : { value: null, revision: 0, floor: revision })

const written = (state: KeyState, value: string, revision: number): KeyState | null =>
  (revision > state.floor ? { value, revision, floor: revision } : null)

const writtenUnseen = ({ floor }: KeyState, value: string): KeyState => ({ value, revision: UNSEEN, floor: floor + 1 })

/** Whether the key's revision (0: absent) is, or may be, this one. */
const hasRevision = (state: KeyState, revision: number): boolean => {
  if (state.value === null) return revision === 0
  return state.revision === UNSEEN ? revision >= state.floor : state.revision === revision
}

const sumOf = (state: KeyState, amount: number): string | null => {
  if (state.value === null) return String(amount)
  return /^-?\d+$/.test(state.value) ? String(Number(state.value) + amount) : null
}

/** An invocation or a completion in a doubly linked list in time order. */
interface Mark {
  readonly operation: HistoryOperation
  readonly number: number
  /** The completion of an invocation; null in a completion. */
  readonly completion: Mark | null
  previous: Mark | null
  next: Mark | null
}

type KeyResult = { readonly kind: 'linearizable' } | { readonly kind: 'tooHard' }
  | { readonly kind: 'violation'; readonly deepest: number }

const checkKey = (operations: readonly HistoryOperation[], stepsMax: number): KeyResult => {
  const head = linkMarks(operations)
  const tried = createMemory(operations.length)
  const turns = createTurns(operations)
  const growth = createGrowth(operations)
  const path: Placement[] = []
  let state = absent
  let deepest = 0
  let mark = head.next
  /** In each state, what changes nothing is placed before anything else is tried: having it out of the way can only help. */
  let isFreeOnly = true

  /** Takes back up to the last placement that was a choice; false when there was none. */
  const backtrack = (): boolean => {
    for (let last = path.pop(); last !== undefined; last = path.pop()) {
      state = last.before
      tried.toggle(last.invocation.number)
      turns.takeBack(last.invocation.number)
      growth.takeBack(last.invocation.number)
      unlift(last.invocation)
      mark = last.invocation.next
      isFreeOnly = false
      if (!last.isFree) return true
    }
    return false
  }
  const tryAt = (invocation: Mark, completion: Mark): boolean => {
    const { operation } = invocation
    if (operation.call.kind === 'put' && isUnseen(path.at(-1))) return false
    const after = turns.isNext(invocation.number) ? step(state, operation) : null
    if (after === null) return false
    const isFree = after === state
    if (isFree && operation.outcome.kind === 'unknown') return false
    if (isFreeOnly !== isFree) return false
    if (!growth.leadsOn(invocation.number, state.value)) return false
    if (isFree) tried.toggle(invocation.number)
    else if (!tried.isNew(invocation.number, after)) return false
    path.push({ invocation, before: state, isFree })
    turns.place(invocation.number)
    growth.place(invocation.number)
    state = after
    lift(invocation, completion)
    mark = head.next
    isFreeOnly = true
    return true
  }

  for (let steps = 0; mark !== null; steps += 1) {
    if (steps > stepsMax) return { kind: 'tooHard' }
    const at: Mark = mark
    if (at.completion !== null) {
      if (!tryAt(at, at.completion)) mark = at.next
    } else if (at.operation.completedAt === Number.POSITIVE_INFINITY) return { kind: 'linearizable' }
    else if (isFreeOnly) {
      isFreeOnly = false
      mark = head.next
    } else {
      deepest = Math.max(deepest, at.operation.completedAt)
      if (!backtrack()) return { kind: 'violation', deepest }
    }
  }
  return { kind: 'linearizable' }
}

interface Placement {
  readonly invocation: Mark
  readonly before: KeyState
  /** It changed nothing, so nothing else need be tried in its place. */
  readonly isFree: boolean
}

/** A change of unknown outcome that nobody saw is the last so far. */
const isUnseen = (last: Placement | undefined): boolean => last?.invocation.operation.outcome.kind === 'unknown'

/** Invocations before completions at one instant: then the two operations count as concurrent, which allows more, never less. */
const linkMarks = (operations: readonly HistoryOperation[]): { next: Mark | null } => {
  const marks: { readonly at: number; readonly rank: number; readonly mark: Mark }[] = []
  operations.forEach((operation, number) => {
    const completion: Mark = { operation, number, completion: null, previous: null, next: null }
    const invocation: Mark = { operation, number, completion, previous: null, next: null }
    marks.push({ at: operation.invokedAt, rank: 0, mark: invocation }, { at: operation.completedAt, rank: 1, mark: completion })
  })
  // Infinity minus Infinity is not a number: compare, do not subtract.
  marks.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.rank - b.rank || a.mark.number - b.mark.number))
  const head = { operation: null, next: null as Mark | null }
  let previous = head as unknown as Mark
  for (const { mark } of marks) {
    mark.previous = previous
    previous.next = mark
    previous = mark
  }
  return head
}

const unlink = (mark: Mark): void => {
  if (mark.previous !== null) mark.previous.next = mark.next
  if (mark.next !== null) mark.next.previous = mark.previous
}

const relink = (mark: Mark): void => {
  if (mark.previous !== null) mark.previous.next = mark
  if (mark.next !== null) mark.next.previous = mark
}

const lift = (invocation: Mark, completion: Mark): void => {
  unlink(invocation)
  unlink(completion)
}

const unlift = (invocation: Mark): void => {
  if (invocation.completion !== null) relink(invocation.completion)
  relink(invocation)
}

interface Turns {
  /** Whether nothing that must come before is still unplaced. */
  readonly isNext: (number: number) => boolean
  readonly place: (number: number) => void
  readonly takeBack: (number: number) => void
}

/** Queues: mutations with a known revision, in its order, and those of unknown outcome that are alike, in order of invocation. */
const createTurns = (operations: readonly HistoryOperation[]): Turns => {
  const kinds = new Set(operations.map(kindOfUnknown).filter((kind) => kind !== null))
  const queues = [positions(operations, ownRevision), ...[...kinds].map((kind) =>
    positions(operations, (operation) => (kindOfUnknown(operation) === kind ? operation.invokedAt : null)))]
  const placed = queues.map(() => 0)
  const queueOf = operations.map((_, number) => queues.findIndex((queue) => queue.has(number)))
  const move = (number: number, by: 1 | -1): void => {
    const queue = queueOf[number] ?? -1
    if (queue >= 0) placed[queue] = (placed[queue] ?? 0) + by
  }
  return {
    isNext: (number) => {
      const queue = queueOf[number] ?? -1
      return queue < 0 || queues[queue]?.get(number) === placed[queue]
    },
    place: (number) => move(number, 1),
    takeBack: (number) => move(number, -1),
  }
}

/** Operations of unknown outcome that are alike have the same; null: it has an outcome, or there is none like it. */
const kindOfUnknown = ({ call, outcome }: HistoryOperation): string | null => {
  if (outcome.kind !== 'unknown') return null
  if (call.kind === 'del') return 'del'
  return call.kind === 'incr' ? `incr ${call.amount}` : null
}

const ownRevision = ({ call, outcome }: HistoryOperation): number | null =>
  (call.kind !== 'get' && outcome.kind === 'answered' && outcome.status === 'OK' ? outcome.revision : null)

/** The rank of each operation that has a sort key, by operation number. */
const positions = (
  operations: readonly HistoryOperation[], sortKey: (operation: HistoryOperation) => number | null,
): ReadonlyMap<number, number> => {
  const sorted = operations.flatMap((operation, number) => {
    const key = sortKey(operation)
    return key === null ? [] : [{ number, key }]
  }).sort((a, b) => a.key - b.key || a.number - b.number)
  return new Map(sorted.map(({ number }, rank) => [number, rank]))
}

interface Memory {
  /** Adds the operation to the set placed so far; false, and nothing changes, when set and state were tried before. */
  readonly isNew: (number: number, state: KeyState) => boolean
  /** Adds the operation to the set without asking, or takes it out. */
  readonly toggle: (number: number) => void
}

/** Configurations (set of operations placed, state) already tried. Exact: a hash only chooses where to look. */
const createMemory = (operations: number): Memory => {
  const placed = new Uint32Array(Math.ceil(operations / 32) + 1)
  const tried = new Map<number, { readonly placed: Uint32Array; readonly state: KeyState }[]>()
  const toggle = (number: number): void => {
    const word = number >>> 5
    placed[word] = (placed[word] ?? 0) ^ (1 << (number & 31))
  }
  const hashOf = (): number => {
    let hash = 0x811c9dc5
    for (const word of placed) hash = Math.imul(hash ^ word, 0x01000193) ^ (hash >>> 15)
    return hash
  }
  return {
    isNew: (number, state) => {
      toggle(number)
      const hash = hashOf()
      const bucket = tried.get(hash) ?? []
      if (bucket.some((entry) => isSameState(entry.state, state) && isSameSet(entry.placed, placed))) {
        toggle(number)
        return false
      }
      bucket.push({ placed: placed.slice(), state })
      tried.set(hash, bucket)
      return true
    },
    toggle,
  }
}

const isSameState = (a: KeyState, b: KeyState): boolean =>
  a.value === b.value && a.revision === b.revision && a.floor === b.floor

const isSameSet = (a: Uint32Array, b: Uint32Array): boolean => {
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false
  return true
}
