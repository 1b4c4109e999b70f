/**
 * Copies of the build with changes. For nodes that are to be haunted: the same files, but whoever asks for the node file system gets the
 * forgetful one (chaos/inside/forgetfulFileSystem.ts) around it, and, where a bug is to be planted, one file is changed. A copy and not
 * module hooks: those cost every start two turns of another thread for each of some 400 files, which is 20 s where cores are scarce.
 */

import { cpSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtFile, checkout } from './checkout.ts'

/**
 * A change to one file of the product, as data (the form of test/mutants): the text must occur exactly once, also after types
 * are gone. How much white space there is does not matter: the compiler breaks lines.
 */
export interface Planted {
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface OtherBuild {
  readonly cli: string
  /** To be loaded before anything else; null where nothing haunts the node. */
  readonly inside: string | null
}

const REAL = 'storage/nodeFileSystem.js'
const SET_ASIDE = 'storage/realNodeFileSystem.js'
const FORGETFUL = 'chaos/inside/forgetfulFileSystem.js'

export const makeHauntedBuild = (folder: string, planted: readonly Planted[]): OtherBuild => {
  const { dist, cli } = copyBuild(folder, planted)
  renameSync(join(dist, REAL), join(dist, SET_ASIDE))
  writeFileSync(join(dist, REAL), `export { createNodeFileSystem } from '../${FORGETFUL}'\n`)
  change(join(dist, FORGETFUL), `../../${REAL}`, `../../${SET_ASIDE}`)
  return { cli, inside: join(dist, 'chaos/inside/main.js') }
}

export const makeChangedBuild = (folder: string, planted: readonly Planted[]): OtherBuild =>
  ({ cli: copyBuild(folder, planted).cli, inside: null })

const copyBuild = (folder: string, planted: readonly Planted[]): { readonly dist: string; readonly cli: string } => {
  const dist = join(folder, 'dist')
  mkdirSync(folder)
  cpSync(builtFile(''), dist, { recursive: true, filter: (path) => !/\.(?:d\.ts|map)$|dist\/cjs$/.test(path) })
  cpSync(join(checkout, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(checkout, 'node_modules'), join(folder, 'node_modules'))
  for (const { file, find, replace } of planted) change(join(dist, file.replace(/\.ts$/, '.js')), find, replace)
  return { dist, cli: join(dist, 'cli/entry.js') }
}

const change = (path: string, find: string, replace: string): void => {
  const source = readFileSync(path, 'utf8')
  const pattern = new RegExp(find.split(/\s+/).map((word) => word.replaceAll(/[^\w]/g, '\\$&')).join('\\s+'), 'g')
  if (source.match(pattern)?.length !== 1) throw new Error(`${path} does not have the text "${find}" exactly once`)
  writeFileSync(path, source.replace(pattern, () => replace))
}
