/**
 * The planted bugs as data: that each can still be planted, and names a catcher that exists. Whether they are caught is
 * `npm run mutants`.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'

interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

interface Mutant extends Edit {
  readonly id: string
  readonly title: string
  readonly also?: readonly Edit[]
  readonly catcher:
    | { readonly lane: 'sim'; readonly seed: number; readonly seedsNeeded: number; readonly invariant?: string }
    | { readonly lane: 'test'; readonly path: string; readonly name: string }
}

const FOLDER = 'test/mutants'
const SEEDS_MAX = 300
/** The list that came first, M1 to M35. */
const LISTED = 35

const read = (name: string): unknown => JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8'))
const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json') && name !== 'leftOut.json').sort()
const mutants = names.map((name) => ({ name, mutant: read(name) as Mutant }))
const leftOut = read('leftOut.json') as readonly { readonly id: string; readonly reason: string }[]

/** The name is its chapters' and its own. Rows of a table have no name in the source: they catch nothing here. */
const hasTest = (path: string, name: string): boolean => {
  const text = readFileSync(path, 'utf8').replaceAll("\\'", "'")
  return [...text.matchAll(/\btest\('(.+)', (?:async )?\(/g)].some(([, title = '']) => name === title || name.endsWith(` ${title}`))
}

describe('a planted bug', () => {
  test.each(mutants)('$name has its place, and a catcher', ({ name, mutant }) => {
    const { id, title, catcher, also = [] } = mutant
    expect(name.startsWith(`${id}-`)).toBe(true)
    expect(title.length).toBeGreaterThan(10)
    for (const { file, find, replace } of [mutant, ...also]) {
      expect([file, readFileSync(file, 'utf8').split(find).length - 1]).toEqual([file, 1])
      expect(replace).not.toBe(find)
    }
    if (catcher.lane === 'sim') expect(catcher.seed).toBeLessThanOrEqual(SEEDS_MAX)
    else expect([catcher.name, hasTest(catcher.path, catcher.name)]).toEqual([catcher.name, true])
  })

  test('is there for each of the list, or it is said why not', () => {
    const known = [...mutants.map(({ mutant: { id } }) => id), ...leftOut.map(({ id }) => id)]
    const wanted = Array.from({ length: LISTED }, (_, i) => `M${String(i + 1).padStart(2, '0')}`)
    expect(wanted.filter((id) => !known.includes(id))).toEqual([])
    expect(new Set(known).size).toBe(known.length)
  })
})

test('a seed shows a bug by the invariant that its catcher names, or else by one that says something', () => {
  const shown = (catcher: { readonly invariant?: string }, invariant: string): boolean => {
    const program = `import { isShownBy } from './test/mutants/lib/catalogue.mjs'
      console.log(isShownBy(${JSON.stringify(catcher)}, ${JSON.stringify({ invariant })}))`
    return spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).stdout.trim() === 'true'
  }
  expect([shown({}, 'logs match'), shown({ invariant: 'logs match' }, 'logs match')]).toEqual([true, true])
  const { length } = ['nothing throws', 'the checker finishes'].filter((invariant) => !shown({}, invariant))
  expect([length, shown({ invariant: 'logs match' }, 'one vote')]).toEqual([2, false])
})
