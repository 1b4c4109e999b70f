/**
 * The chart's own transitions, carried out without xstate's machinery where that makes no difference.
 *
 * Most events on the data path change no state: the chart says "in this state, on this event, when these guards hold, run this action",
 * and stays where it is. xstate spends 4 to 9 us on such an event (selecting, a new snapshot, a mailbox), the action itself 0.1 to 1. So
 * the rules are read from the machine once per state and event type, and a rule without a target is run here, guards in the
 * chart's order, in 0.1 us. Everything else is left to xstate:
 *
 *   event ──▶ first rule whose guards hold ──no target, plain actions──▶ run it ──▶ does an `always` hold now? ──yes──▶ xstate
 *                                          └─a target, raise, spawn────▶ xstate, which selects the same rule again
 *
 * The chart stays the one source: nothing can be done here that it does not say, and only xstate changes its state. Two things are
 * asked of a machine: guards are pure, since a rule left to xstate is selected twice, and there are no parallel states. An `always`
 * that fires after a rule was run here sees the event SETTLED instead of the one that caused it; so a wildcard may only ignore.
 * Law (test/actors/kernel/hotPath.test.ts): any sequence of events leaves the same state and the same effects with and without it.
 */

import { assert } from './assert.ts'
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode, AnyTransitionDefinition, EventObject, MachineContext } from 'xstate'

/** What an `always` transition sees when a rule that was run here has made it hold. */
export const SETTLED: EventObject = { type: 'chart.settled' }

export interface HotPath {
  /** The chart is in another state now. */
  readonly enter: (snapshot: AnyMachineSnapshot) => void
  /** What became of the event: carried out; carried out, and now an `always` holds: send SETTLED; or untouched: send it. */
  readonly take: (event: EventObject) => 'done' | 'unsettled' | 'left'
}

interface Arguments {
  readonly context: MachineContext
  event: EventObject
}

type Implementation<Result> = (args: Arguments, params: unknown) => Result

interface Call<Result> {
  readonly run: Implementation<Result>
  readonly params: unknown
}

interface Rule {
  readonly guard: Call<boolean> | null
  /** Null: xstate's to carry out. */
  readonly actions: readonly Call<void>[] | null
}

/** The rules of one state: its own, then its parents'. */
interface Table {
  readonly path: readonly AnyStateNode[]
  readonly rules: Map<string, readonly Rule[]>
  readonly always: readonly Rule[]
}

/** Every actor of a machine reads the same tables. */
const tables = new WeakMap<AnyStateNode, Table>()

export const createHotPath = (machine: AnyStateMachine, first: AnyMachineSnapshot): HotPath => {
  const args: Arguments = { context: first.context, event: SETTLED }
  let table = tableOf(machine, first)
  return {
    enter: (snapshot) => {
      assert(snapshot.context === args.context || snapshot.status !== 'active', 'a chart on the hot path keeps its context')
      table = tableOf(machine, snapshot)
    },
    take: (event) => {
      args.event = event
      const rule = firstThatHolds(rulesOf(machine, table, event.type), args)
      if (rule !== undefined) {
        if (rule.actions === null) return 'left'
        for (const { run, params } of rule.actions) run(args, params)
      }
      return firstThatHolds(table.always, args) === undefined ? 'done' : 'unsettled'
    },
  }
}

const firstThatHolds = (rules: readonly Rule[], args: Arguments): Rule | undefined => {
  for (const rule of rules) {
    if (rule.guard === null || rule.guard.run(args, rule.guard.params)) return rule
  }
  return undefined
}

const tableOf = (machine: AnyStateMachine, snapshot: AnyMachineSnapshot): Table => {
  const leaves = (snapshot._nodes as readonly AnyStateNode[]).filter(({ type }) => type === 'atomic' || type === 'final')
  const leaf = leaves[0]
  assert(leaf !== undefined && leaves.length === 1, 'a chart on the hot path has no parallel states')
  const known = tables.get(leaf)
  if (known !== undefined) return known
  const path: AnyStateNode[] = []
  for (let node: AnyStateNode | undefined = leaf; node !== undefined; node = node.parent) path.push(node)
  const always = path.flatMap((node) => node.always ?? []).map((transition) => ruleOf(machine, transition))
  const table: Table = { path, rules: new Map(), always }
  tables.set(leaf, table)
  return table
}

const rulesOf = (machine: AnyStateMachine, table: Table, type: string): readonly Rule[] => {
  const known = table.rules.get(type)
  if (known !== undefined) return known
  const rules = table.path.flatMap(({ transitions }) => [...transitions.get(type) ?? [], ...transitions.get('*') ?? []])
    .map((transition) => ruleOf(machine, transition))
  table.rules.set(type, rules)
  return rules
}

const ruleOf = ({ implementations }: AnyStateMachine, transition: AnyTransitionDefinition): Rule => {
  const { guard, target, reenter, actions } = transition
  assert(transition.eventType !== '*' || (target === undefined && actions.length === 0), 'a wildcard on the hot path does nothing')
  const calls = target === undefined && !reenter ? actions.map((action) => callOf<void>(action, implementations.actions)) : null
  const isPlain = calls?.every(({ run }) => !('resolve' in run)) === true
  return { guard: guard === undefined ? null : callOf<boolean>(guard, implementations.guards), actions: isPlain ? calls : null }
}

/** A reference as the chart writes it: a name, a name with parameters, or the function itself. */
const callOf = <Result>(reference: unknown, named: Readonly<Record<string, unknown>>): Call<Result> => {
  const { type, params } = typeof reference === 'object' && reference !== null
    ? reference as { readonly type: string, readonly params?: unknown }
    : { type: String(reference), params: undefined }
  const run = typeof reference === 'function' ? reference : named[type]
  assert(typeof run === 'function' && !('check' in run), `"${type}" is a plain function of the chart`)
  assert(typeof params !== 'function', `the parameters of "${type}" are values`)
  return { run: run as Implementation<Result>, params }
}
