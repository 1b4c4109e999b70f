/**
 * The simulator as one script for a worker of the page: sim/page/worker.ts with everything it runs. Node's few parts in it are replaced:
 * `node:zlib` by a table, `Buffer` by what is used of it, and msgpackr by its build that makes no code from text, which the page's
 * Content-Security-Policy forbids. Any other module of Node ends the build.
 */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import { root } from '../bin/bootstrap.mjs'

const bufferPath = join(root, 'sim/page/browserBuffer.ts')

/** Libraries that ask whether there is a Buffer get the answer of a browser: none. */
const inBrowser = {
  name: 'in the browser',
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: /^node:zlib$/ }, () => ({ path: join(root, 'sim/page/browserCrc.ts') }))
    onResolve({ filter: /^msgpackr$/ }, () => ({ path: join(root, 'node_modules/msgpackr/dist/index-no-eval.cjs') }))
    onLoad({ filter: /\/(?:actors|bus|observe|sim|storage|topology)\/.*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      if (path === bufferPath || path.includes('node_modules') || !/\bBuffer\./.test(text)) return undefined
      return { contents: `import { Buffer } from ${JSON.stringify(bufferPath)};${text}`, loader: 'ts' }
    })
  },
}

/** Resolves with the script's text. */
export const bundleSimulator = async () => {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'sim/page/worker.ts')], bundle: true, minify: true, write: false, format: 'iife', target: 'es2022',
    platform: 'browser', legalComments: 'none', logLevel: 'error', tsconfig: join(root, 'observe/page/tsconfig.json'), plugins: [inBrowser],
  })
  return outputFiles[0].text
}
