/** The transform of jest's runs with a planted bug (jest.config.mjs): what test/support/transformer.mjs does, of the patched source. */

import { relative } from 'node:path'
import plain from '../../support/transformer.mjs'
import { filesOf, planted, readMutant, root } from './catalogue.mjs'

const createTransformer = (options) => {
  const inner = plain.createTransformer(options)
  const mutant = readMutant(process.env.SHARDKV_MUTANT)
  const files = new Set(filesOf(mutant))
  const patched = (text, path) => {
    const file = relative(root, path)
    return files.has(file) ? planted(mutant, file, text) : text
  }
  return {
    ...inner,
    process: (text, path, rest) => inner.process(patched(text, path), path, rest),
    processAsync: (text, path, rest) => inner.processAsync(patched(text, path), path, rest),
    getCacheKey: (text, path, rest) => inner.getCacheKey(patched(text, path), path, rest),
  }
}

export default { createTransformer }
