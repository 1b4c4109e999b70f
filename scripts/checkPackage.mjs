/**
 * Looks at the package as a stranger would: packs it, looks at what is in it, and asks publint (fields and files) and arethetypeswrong (the
 * types that each way of importing finds). `node scripts/checkPackage.mjs FOLDER` leaves the tarball there. Called by test/e2e/sdk.test.ts.
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureBuild, ensureDependencies, root } from '../bin/bootstrap.mjs'

ensureDependencies()
ensureBuild()

const given = process.argv[2]
const folder = given ?? mkdtempSync(join(tmpdir(), 'shardkv-package-'))

const run = (name, command, args) => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } })
  process.stdout.write(`package: ${name} ${status === 0 ? 'ok' : 'FAILED'}\n`)
  if (status === 0) return
  process.stdout.write(`${stdout}${stderr}\n`)
  process.exitCode = 1
}

/** Proofs and their tools stay here, and so do maps: the sources that they lead to are not in the package. */
const strangers = /^package\/(?:dist\/(?:sim|chaos|torture|fuzz|lanes)\/|test\/|scripts\/)|\.map$|\.tsbuildinfo$|\.shardkv-sources$/

const checkContents = (tarball) => {
  const { stdout } = spawnSync('tar', ['-tzf', tarball], { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 })
  const names = stdout.split('\n').filter((name) => name !== '')
  const wrong = names.filter((name) => strangers.test(name))
  const isRight = names.length > 0 && wrong.length === 0
  const size = `${names.length} files, ${Math.round(statSync(tarball).size / 1024)} KiB`
  process.stdout.write(`package: contents ${isRight ? 'ok' : 'FAILED'} (${size})\n`)
  if (isRight) return
  process.stdout.write(`${wrong.slice(0, 20).join('\n')}\n`)
  process.exitCode = 1
}

try {
  run('pack', 'npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder])
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))
  if (tarball !== undefined) {
    checkContents(join(folder, tarball))
    run('publint', process.execPath, [join(root, 'node_modules/publint/src/cli.js'), 'run', join(folder, tarball), '--strict'])
    run('types', process.execPath, [join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js'), join(folder, tarball)])
  }
} finally {
  if (given === undefined) rmSync(folder, { recursive: true, force: true })
}
