/** Layout levels: which version a level writes, which level a version is of, and what a node is told that knows too little or too much. */

import { describe, expect, test } from '@jest/globals'
import {
  FIRST_LEVEL, includesLevel, knowsVersion, levelOfVersion, levelProblem, ownLevels, rangeText, versionAt,
} from '../../topology/level.ts'
import type { Versions } from '../../topology/level.ts'

const versions: Versions = [[1, 1], [2, 3], [5, 4]]

describe('a layout', () => {
  test.each([[1, 1], [2, 3], [3, 3], [4, 3], [5, 4], [9, 4]])('is written at level %i in version %i', (level, version) => {
    expect(versionAt(versions, level)).toBe(version)
  })

  test.each([[1, 1], [2, 1], [3, 2], [4, 5]])('of version %i is that of level %i', (version, level) => {
    expect(levelOfVersion(versions, version)).toBe(level)
  })

  test('is read in every version that is named, and in no other', () => {
    expect([0, 1, 2, 3, 4, 5].filter((version) => knowsVersion(versions, version))).toEqual([1, 3, 4])
  })
})

describe('a build', () => {
  test('is told to be upgraded where it knows too little, and to go step by step where it has forgotten too much', () => {
    expect(levelProblem({ min: 1, max: 2 }, 2)).toBeNull()
    expect(levelProblem({ min: 1, max: 2 }, 3)).toMatch(/layout level 3, .* levels 1 to 2: start this node with the version that the other/)
    expect(levelProblem({ min: 3, max: 3 }, 2)).toMatch(/layout level 2, .* level 3 only: upgrade step by step/)
  })

  test('knows the first level today', () => {
    expect(includesLevel(ownLevels, FIRST_LEVEL)).toBe(true)
    expect(rangeText(ownLevels)).toBe('level 1 only')
  })
})
