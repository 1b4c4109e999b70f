/** `npm run check`: types, lint, dead code, import rules, style. Runs all of them and names every one that fails. */

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ensureDependencies, root } from '../bin/bootstrap.mjs'

ensureDependencies()

const node = process.execPath
const inModules = (path) => join(root, 'node_modules', path)

/** @type {[string, string[]][]} */
const steps = [
  ['types', [inModules('typescript/bin/tsc'), '-p', 'tsconfig.json']],
  ['types of the page', [inModules('typescript/bin/tsc'), '-p', 'observe/page/tsconfig.json']],
  ['lint', [inModules('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings']],
  ['dead code', [inModules('knip/bin/knip.js'), '--no-progress']],
  ['imports', [join(root, 'scripts/imports.mjs')]],
  ['style', ['--experimental-vm-modules', '--no-warnings', inModules('jest/bin/jest.js'), 'test/tidy.test.ts']],
]

const failed = []
for (const [name, args] of steps) {
  const started = Date.now()
  const { status, stdout, stderr } = spawnSync(node, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  const verdict = status === 0 ? 'ok' : 'FAILED'
  process.stdout.write(`check: ${name} ${verdict} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`)
  if (status === 0) continue
  failed.push(name)
  process.stdout.write(`${stdout}${stderr}\n`)
}
if (failed.length > 0) {
  process.stdout.write(`check: failed: ${failed.join(', ')}\n`)
  process.exitCode = 1
}
