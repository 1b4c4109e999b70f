/**
 * The transform of jest: what @swc/jest does, and before each module's own code the globals that it uses as constants of its own.
 *
 * A test file runs in a context of Node's `vm`, whose globals are looked up through an interceptor at every use, which V8 can not compile
 * away: `Math.imul` takes a hundred times as long, and what computes takes minutes. Named once for each module they cost what they cost
 * everywhere else. Only what no test ever replaces is among them: no clock, no timer, no `process`.
 */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import swc from '@swc/jest'

const GLOBALS = [
  'Array', 'BigInt', 'Boolean', 'Buffer', 'DataView', 'Error', 'Infinity', 'JSON', 'Map', 'Math', 'NaN', 'Number', 'Object',
  'Promise', 'RangeError', 'Set', 'String', 'Symbol', 'TextDecoder', 'TextEncoder', 'TypeError', 'Uint32Array', 'Uint8Array', 'WeakMap',
]
/** For the key of jest's cache: what is kept is as this file makes it. */
const OWN_TEXT = readFileSync(new URL(import.meta.url))
const MAP = '//# sourceMappingURL=data:application/json;base64,'

/** At the top of a module, or imported: then the name is not the global's. */
const isTaken = (code, name) =>
  new RegExp(`^(?:export )?(?:const|let|var|class|function) ${name}\\b|^import [^;]*\\b${name}\\b[^;]* from `, 'm').test(code)

/** A line of its own, which the source map passes over, so that coverage and stacks stay where they were. */
const withGlobals = (code) => {
  const used = GLOBALS.filter((name) => new RegExp(`\\b${name}\\b`).test(code) && !isTaken(code, name))
  const at = code.lastIndexOf(MAP)
  if (used.length === 0 || at === -1) return code
  const map = JSON.parse(Buffer.from(code.slice(at + MAP.length).trim(), 'base64').toString())
  const shifted = Buffer.from(JSON.stringify({ ...map, mappings: `;${map.mappings}` })).toString('base64')
  return `const { ${used.join(', ')} } = globalThis;\n${code.slice(0, at)}${MAP}${shifted}`
}

const createTransformer = (options) => {
  const inner = swc.createTransformer(options)
  const named = (result) => ({ ...result, code: withGlobals(result.code) })
  return {
    ...inner,
    process: (text, path, rest) => {
      const result = inner.process(text, path, rest)
      return rest.supportsStaticESM ? named(result) : result
    },
    processAsync: async (text, path, rest) => named(await inner.processAsync(text, path, rest)),
    getCacheKey: (text, path, rest) => createHash('sha1').update(inner.getCacheKey(text, path, rest)).update(OWN_TEXT).digest('hex'),
  }
}

export default { createTransformer }
