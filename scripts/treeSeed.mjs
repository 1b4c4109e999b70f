/**
 * The seed of what is drawn at random: of the tree's own hash (`HEAD^{tree}`), so that the same tree draws the same, and another tree
 * something else. Printed when it is run: `node scripts/treeSeed.mjs`.
 */

import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from '../bin/bootstrap.mjs'

const HASH_DIGITS = 7

/** From 1 to 2^28; of what is no checkout of a commit, 2. */
export const seedOf = (hash) => (/^[0-9a-f]{7}/.test(hash) ? Number.parseInt(hash.slice(0, HASH_DIGITS), 16) + 1 : 2)

export const treeSeed = () => {
  const { status, stdout } = spawnSync('git', ['rev-parse', 'HEAD^{tree}'], { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return seedOf(status === 0 ? stdout.trim() : '')
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) process.stdout.write(`${treeSeed()}\n`)
