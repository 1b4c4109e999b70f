/**
 * What a log must say after a restart, by a model too simple to be wrong.
 *
 * Per Raft group it keeps every single record that was submitted, in order, and how many of them were acknowledged. What a restart
 * recovers must equal the model after some number of records, at least the acknowledged ones.
 */

import type { Entry, HardState } from '../actors/raft/protocol.ts'
import type { RecoveredGroup, ReplicaMark, SnapshotMark } from '../actors/wal/protocol.ts'

export type Step =
  | { readonly kind: 'hardState'; readonly hardState: HardState }
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'compact'; readonly mark: SnapshotMark }
  | { readonly kind: 'install'; readonly mark: SnapshotMark }
  | { readonly kind: 'quarantine'; readonly reason: string }
  | { readonly kind: 'replica'; readonly replica: ReplicaMark }

export interface ModelState {
  readonly hardState: HardState
  readonly mark: SnapshotMark
  readonly entries: readonly Entry[]
  readonly quarantined?: string
  readonly replica?: ReplicaMark
}

export const emptyState: ModelState = { hardState: { term: 0, vote: '' }, mark: { index: 0, term: 0 }, entries: [] }

const applyStep = (state: ModelState, step: Step): ModelState => {
  switch (step.kind) {
    case 'hardState': return { ...state, hardState: step.hardState }
    case 'entry': return { ...state, entries: [...state.entries.filter(({ index }) => index < step.entry.index), step.entry] }
    case 'quarantine': return { ...state, quarantined: step.reason }
    case 'replica': return { ...emptyState, replica: step.replica }
    case 'compact': return { ...state, mark: step.mark, entries: state.entries.filter(({ index }) => index > step.mark.index) }
    case 'install': {
      const agrees = state.entries.some(({ index, term }) => index === step.mark.index && term === step.mark.term)
        || (state.mark.index === step.mark.index && state.mark.term === step.mark.term)
      return { ...state, mark: step.mark, entries: agrees ? state.entries.filter(({ index }) => index > step.mark.index) : [] }
    }
  }
  step satisfies never
}

export interface GroupModel { base: ModelState; steps: Step[]; acknowledged: number; readonly tickets: Map<number, number> }

/** The group after its first `count` steps. */
export const stateAt = (model: GroupModel, count: number): ModelState => model.steps.slice(0, count).reduce(applyStep, model.base)
export const currentState = (model: GroupModel): ModelState => stateAt(model, model.steps.length)

const isSameState = (recovered: RecoveredGroup, state: ModelState): boolean =>
  recovered.hardState.term === state.hardState.term && recovered.hardState.vote === state.hardState.vote
  && recovered.quarantined === state.quarantined
  && recovered.replica?.generation === state.replica?.generation && recovered.replica?.isRemoved === state.replica?.isRemoved
  && recovered.snapshot.index === state.mark.index && recovered.snapshot.term === state.mark.term
  && recovered.entries.length === state.entries.length
  && recovered.entries.every((entry, at) => {
    const wanted = state.entries[at]
    return wanted !== undefined && entry.index === wanted.index && entry.term === wanted.term && entry.kind === wanted.kind
      && Buffer.compare(entry.payload, wanted.payload) === 0
  })

/**
 * How many steps the recovered group reflects; undefined when it is no prefix that covers what was acknowledged. Compactions
 * that follow may have been made durable ahead of what they waited for, though not ahead of another replica.
 */
export const matchingPrefix = (model: GroupModel, recovered: RecoveredGroup): number | undefined => {
  let state = model.base
  for (let count = 0; count <= model.steps.length; count += 1) {
    const step = model.steps[count - 1]
    if (step !== undefined) state = applyStep(state, step)
    if (count < model.acknowledged) continue
    if (isSameState(recovered, state)) return count
    let ahead = state
    for (const later of model.steps.slice(count)) {
      if (later.kind === 'replica') break
      if (later.kind !== 'compact') continue
      ahead = applyStep(ahead, later)
      if (isSameState(recovered, ahead)) return count
    }
  }
  return undefined
}

export const modelOf = (models: Map<number, GroupModel>, group: number): GroupModel => {
  const known = models.get(group)
  if (known !== undefined) return known
  const model: GroupModel = { base: emptyState, steps: [], acknowledged: 0, tickets: new Map() }
  models.set(group, model)
  return model
}
