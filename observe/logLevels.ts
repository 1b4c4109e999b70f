/** What is logged, by actor, changeable while the node runs: one level for all, and others for those that somebody looks at. */

export const levelNames = ['error', 'warn', 'info', 'debug', 'trace'] as const
export type LevelName = (typeof levelNames)[number]

/** Actors as log lines name them. A fixed list: a level for a name that never comes would be a mistake that nobody notices. */
export const loggedActors = [
  'node', 'bus', 'post', 'gateway', 'batch', 'connection', 'shard', 'raft', 'wal', 'gossip', 'topology', 'beacon', 'http', 'admin',
  'metrics', 'traces', 'recorder',
] as const

export interface LogLevels {
  readonly isOn: (actor: string, level: LevelName) => boolean
  /** `actor` null: all of them, those with a level of their own included. */
  readonly set: (actor: string | null, level: LevelName) => void
  readonly read: () => { readonly level: LevelName; readonly actors: Readonly<Record<string, LevelName>> }
}

const weight = (level: LevelName): number => levelNames.indexOf(level)

export const createLogLevels = (initial: LevelName): LogLevels => {
  let level = initial
  const own = new Map<string, LevelName>()
  return {
    isOn: (actor, wanted) => weight(wanted) <= weight(own.get(actor) ?? level),
    set: (actor, wanted) => {
      if (actor !== null) own.set(actor, wanted)
      else {
        level = wanted
        own.clear()
      }
    },
    read: () => ({ level, actors: Object.fromEntries(own) }),
  }
}
