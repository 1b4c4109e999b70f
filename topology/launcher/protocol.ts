/**
 * What can be said to and by the supervisor of the processes that `shardkv start` runs: at most one broker and a few nodes.
 * All of it is local: processes report through their exits and probes.
 */

export type ChildKind = 'broker' | 'node'

export interface ChildSpec {
  readonly name: string
  readonly kind: ChildKind
  /** Of a node: where its data is. */
  readonly home?: string
}

export type SupervisorEvent =
  | { readonly type: 'tick'; readonly now: number }
  /** The child serves (its probe said so). */
  | { readonly type: 'supervisor.ready'; readonly name: string; readonly now: number }
  /** `reason`: what the child said last, for a person; may be empty. */
  | { readonly type: 'supervisor.exited'; readonly name: string; readonly code: number | null
      readonly signal: string | null; readonly reason: string; readonly now: number }
  /** Ctrl-C or SIGTERM: the first drains, the second kills. */
  | { readonly type: 'supervisor.stop'; readonly now: number }

export type SupervisorEffect =
  | { readonly type: 'supervisor.spawn'; readonly name: string }
  | { readonly type: 'supervisor.signal'; readonly name: string; readonly signal: 'SIGTERM' | 'SIGKILL' }
  | { readonly type: 'supervisor.say'; readonly text: string }
  /** Everything that can be up is up: print the table. */
  | { readonly type: 'supervisor.announce' }
  | { readonly type: 'supervisor.exit'; readonly code: number }
