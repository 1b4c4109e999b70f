/**
 * Layout levels: one small number for all that nodes of two versions must agree on, the layouts of the log, of snapshots and of the
 * envelope (docs/adr/0008-layout-levels.md).
 *
 * Every build reads each level of its range, and writes the level that is in force: the one that the cluster's map has committed, as far as
 * this node has it on its disk. The map's level is raised by one when every node has told that it knows the next, and is never lowered.
 * So whoever writes a layout may take it for granted that everybody reads it, and a build that is one level behind refuses to start.
 *
 * To make a new level: raise `max` here, and add a pair to the table of each layout that changes with it (storage/segment.ts,
 * storage/record.ts, storage/snapshotFormat.ts, bus/envelope.ts). Nothing else asks which level it is.
 */

export interface LevelRange {
  readonly min: number
  readonly max: number
}

/** Of a cluster that has never raised it, and of nodes from before there were levels. */
export const FIRST_LEVEL = 1
/** What a node knows that says nothing of levels. */
export const firstLevelOnly: LevelRange = { min: FIRST_LEVEL, max: FIRST_LEVEL }
/** What this build reads, all of it, and can write. */
export const ownLevels: LevelRange = { min: 1, max: 1 }

/** Ascending pairs: from this level on that version is written, until the next pair's level. Every version that is named is read. */
export type Versions = readonly (readonly [fromLevel: number, version: number])[]

export const includesLevel = ({ min, max }: LevelRange, level: number): boolean => min <= level && level <= max

/** The version that is written at a level. */
export const versionAt = (versions: Versions, level: number): number => {
  let version = versions[0]?.[1] ?? 0
  for (const [from, newer] of versions) if (from <= level) version = newer
  return version
}

/** The level from which on a version is written: for one between two pairs, that of the lower. */
export const levelOfVersion = (versions: Versions, version: number): number => {
  let level = versions[0]?.[0] ?? FIRST_LEVEL
  for (const [from, newer] of versions) if (newer <= version) level = from
  return level
}

export const knowsVersion = (versions: Versions, version: number): boolean => versions.some(([, known]) => known === version)

/** Why a build of these levels can have no part in a cluster at `level`, and what to do; null when it can. */
export const levelProblem = (levels: LevelRange, level: number): string | null => {
  if (includesLevel(levels, level)) return null
  const cure = level > levels.max
    ? 'start this node with the version that the other nodes run, or a later one'
    : 'upgrade step by step: first to a version that still knows that level'
  return `the cluster is at layout level ${level}, and this version of ShardKV knows ${rangeText(levels)}: ${cure}`
}

export const rangeText = ({ min, max }: LevelRange): string => (min === max ? `level ${min} only` : `levels ${min} to ${max}`)
