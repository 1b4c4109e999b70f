/**
 * Bits flipped in the log and the snapshots of one node while it is stopped. It may heal, or come back with replicas that count for
 * nothing, or refuse to start; nothing acknowledged may be lost. The others run meanwhile, and remember.
 */

import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { between, pick } from '../../actors/kernel/random.ts'
import { anyNode, holdBetween } from './nemesis.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Arena, Nemesis } from './nemesis.ts'

const FLIPS_MAX = 8

export const bitFlips: Nemesis = {
  name: 'bitFlips',
  needs: [],
  isLast: true,
  strike: async (arena) => {
    const node = anyNode(arena)
    await arena.kill(node)
    const flipped = flipSome(arena, arena.cluster.directory(node))
    arena.say(`${node}: ${flipped.join(', ')}`)
    arena.start(node)
    arena.expectExit(node)
    await holdBetween(arena, 2_000, 4_000)
  },
}

const flipSome = ({ random }: Arena, directory: string): readonly string[] => {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/genesis|lock|\.sock$/.test(name) && statSync(join(directory, name)).isFile())
  return Array.from({ length: between(random, 1, FLIPS_MAX) }, () => {
    const name = pick(random, files)
    return name === undefined ? 'nothing' : flipOne(random, directory, name)
  })
}

/** Where something is written: a segment is reserved in full, and what follows is zeros. */
const flipOne = (random: Random, directory: string, name: string): string => {
  const path = join(directory, name)
  const bytes = readFileSync(path)
  const used = bytes.findLastIndex((byte) => byte !== 0) + 1
  const at = between(random, 0, Math.max(0, used - 1))
  if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << between(random, 0, 7))
  writeFileSync(path, bytes)
  return `${name}@${at}`
}
