/**
 * The planted bugs of this folder: read, checked, and applied to a source text.
 *
 * A mutant is data: `file`, a `find` that occurs exactly once in it, and what to `replace` it with (`also` for a bug that needs more places).
 * One whose text is not there, or not once, is stale: the code it was made for has changed, and it proves nothing until it is looked at.
 */

import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const mutantsFolder = dirname(dirname(fileURLToPath(import.meta.url)))
export const root = dirname(dirname(mutantsFolder))

const NAME = /^(M\d{2,3}[a-z]?)-[a-z0-9-]+\.json$/

/** Every mutant, in the order of the numbers. */
export const readMutants = () => readdirSync(mutantsFolder).filter((name) => NAME.test(name)).sort().map(readMutant)

export const readMutant = (name) => {
  const path = join(mutantsFolder, name)
  const mutant = JSON.parse(readFileSync(path, 'utf8'))
  if (mutant.id !== NAME.exec(name)?.[1]) throw new Error(`${name} calls itself ${mutant.id}`)
  return { ...mutant, path, name }
}

const editsOf = ({ file, find, replace, also = [] }) => [{ file, find, replace }, ...also]

export const filesOf = (mutant) => [...new Set(editsOf(mutant).map(({ file }) => file))]

/** The text of `file` with the bug in it. Throws when the mutant is stale. */
export const planted = (mutant, file, text) => editsOf(mutant).filter((edit) => edit.file === file).reduce((source, { find, replace }) => {
  const count = source.split(find).length - 1
  if (count !== 1) throw new Error(`stale: the text to replace occurs ${count} times in ${file}`)
  return source.split(find).join(replace)
}, text)

/** Why the mutant can not be planted any more, or undefined. */
export const staleness = (mutant) => {
  try {
    for (const file of filesOf(mutant)) planted(mutant, file, readFileSync(join(root, file), 'utf8'))
    return undefined
  } catch (error) {
    return error.message
  }
}

/** Any failure may end in these, of the simulator itself as well: they say nothing of a bug. */
const SAYING_NOTHING = ['the checker finishes', 'nothing throws']

/** Whether a bug is caught by what a seed violated: the invariant that its catcher names, or, where none is named, any that says something. */
export const isShownBy = ({ invariant }, violation) =>
  (invariant === undefined ? !SAYING_NOTHING.includes(violation.invariant) : violation.invariant === invariant)
