/** Checkouts: the one that this build came from, and others to compare it with. */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createMachineHost } from '../../topology/launcher/machineHost.ts'
import type { MachineHost } from '../../topology/launcher/machineHost.ts'

type Host = Pick<MachineHost, 'run' | 'files'>

/** Of `dist/bench/targets`; in an installed package the package. */
export const ownCheckout = fileURLToPath(new URL('../../../', import.meta.url))

const BOOTSTRAP = 'bin/bootstrap.mjs'
/** The first time it may have to install what it depends on. */
const BUILD_WITHIN_MS = 900_000
const GIT_WITHIN_MS = 10_000
const COMMIT_CHARACTERS = 12

/** Builds what is not built, or not of the sources that are there, as every command of that checkout does. Throws with what to do. */
export const buildThere = async (root: string, host: Host = createMachineHost()): Promise<void> => {
  if (await host.files.facts(join(root, BOOTSTRAP)) === null) throw new Error(`${root} is no checkout of ShardKV: it has no ${BOOTSTRAP}`)
  const program = `import { ensureBuild, ensureDependencies } from './${BOOTSTRAP}'; ensureDependencies(); ensureBuild()`
  process.stderr.write(`building ${root}, unless it is built ...\n`)
  const { code, output } = await host.run(process.execPath, ['--input-type=module', '--eval', program], {
    timeoutMs: BUILD_WITHIN_MS, directory: root,
  })
  if (code !== 0) throw new Error(`${root} does not build; run "npm run build" there:\n${output}`)
}

/**
 * `1f0c2ab9d3e4`, with `+` where files were changed since; `unknown` where there is no git or no commit, and of a package, which may be
 * installed in somebody else's checkout.
 */
export const commitOf = async (root: string, host: Host = createMachineHost()): Promise<string> => {
  if (await host.files.facts(join(root, '.git')) === null) return 'unknown'
  const git = (...args: readonly string[]): ReturnType<Host['run']> =>
    host.run('git', [...args], { timeoutMs: GIT_WITHIN_MS, directory: root })
  const head = await git('rev-parse', `--short=${COMMIT_CHARACTERS}`, 'HEAD')
  if (head.code !== 0) return 'unknown'
  const status = await git('status', '--porcelain', '--untracked-files=no')
  return `${head.output.trim()}${status.code === 0 && status.output.trim() === '' ? '' : '+'}`
}
