/**
 * The recorder port: where shells and wires tell what an actor did (implementation: observe/recorder/recorder.ts; docs/RECORDING.md).
 *
 * Always told: each change of a chart's state, one `batch` for each batch, notes. A message or a phase is told when it belongs to a sampled
 * request, and otherwise only while `isDetailed()`: who would tell asks first, so that nothing is made for nobody. Values of keys are
 * never told.
 */

export const happeningKinds = ['state', 'batch', 'send', 'receive', 'phase', 'note'] as const
export type HappeningKind = (typeof happeningKinds)[number]

export type HappeningDetail = Readonly<Record<string, string | number | boolean>>

export interface Happening {
  /** `node`, `wal`, `gossip`, `topology`, `raft/7`, `raft/meta`, `shard/7`, `door` or `connection/<id>`. */
  readonly actor: string
  readonly kind: HappeningKind
  /** state: the new state's path. send, receive: the message's type. phase: its name. batch: what was batched. note: a sentence. */
  readonly event: string
  /** state: the event that caused it. */
  readonly because?: string
  /** send, receive: the other node. */
  readonly peer?: string
  readonly shard?: number
  readonly term?: number
  /** 32 hex digits, when it belongs to a sampled request. */
  readonly trace?: string
  /** How long it took. */
  readonly micros?: number
  readonly bytes?: number
  /** Small and flat. */
  readonly detail?: HappeningDetail
}

export interface Recorder {
  readonly record: (happening: Happening) => void
  /** Somebody wants every message. */
  readonly isDetailed: () => boolean
  /** The actor is no more. */
  readonly ended: (actor: string) => void
}

/** What a shell needs to tell the states of its chart. */
export interface Recording {
  readonly recorder: Recorder
  readonly actor: string
  /** What a record of this actor says beside its state. */
  readonly about?: () => Pick<Happening, 'shard' | 'term' | 'detail'>
}

export const silentRecorder: Recorder = { record: () => {}, isDetailed: () => false, ended: () => {} }
