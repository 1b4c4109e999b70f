/**
 * Preloaded (`node --import`) into a process that runs `dist`: the module loader hands out the mutant's files with the bug in them,
 * compiled from their patched sources. SHARDKV_MUTANT names the mutant; without it nothing is changed.
 */

import { readFileSync } from 'node:fs'
import { register } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { transformSync } from '@swc/core'
import { filesOf, planted, readMutant, root } from './catalogue.mjs'

const name = process.env.SHARDKV_MUTANT ?? ''

/** As the build does it: types go, and a relative import names the compiled file. */
const compiled = (file, source) => {
  const { code } = transformSync(source, {
    filename: file, sourceMaps: false, jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' },
  })
  return code.replaceAll(/(from ['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2')
}

const sources = () => {
  const mutant = readMutant(name)
  return filesOf(mutant).map((file) => {
    const url = pathToFileURL(join(root, 'dist', file.replace(/\.ts$/, '.js'))).href
    return [url, compiled(file, planted(mutant, file, readFileSync(join(root, file), 'utf8')))]
  })
}

if (name !== '') register('./loader.mjs', import.meta.url, { data: sources() })
