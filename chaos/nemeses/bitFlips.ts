/**
 * Bits flipped in the log and the snapshots of one node while it is stopped, and files of it cut short. It may heal, or come back with
 * replicas that count for nothing, or refuse to start; nothing acknowledged may be lost. The others run meanwhile, and remember.
 */

import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { between, chance, pick } from '../../actors/kernel/random.ts'
import { anyNode, holdBetween } from './nemesis.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Arena, Nemesis } from './nemesis.ts'

const DAMAGES_MAX = 8
/** Of the damages: the rest are flipped bits. */
const CUTS = 0.25

export const bitFlips: Nemesis = {
  name: 'bitFlips',
  needs: [],
  isLast: true,
  strike: async (arena) => {
    const node = anyNode(arena)
    await arena.kill(node)
    const damages = damageSome(arena, arena.cluster.directory(node))
    arena.say(`${node}: ${damages.join(', ')}`)
    arena.start(node)
    arena.expectExit(node)
    await holdBetween(arena, 2_000, 4_000)
  },
}

const damageSome = ({ random }: Arena, directory: string): readonly string[] => {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/genesis|lock|\.sock$/.test(name) && statSync(join(directory, name)).isFile())
  return Array.from({ length: between(random, 1, DAMAGES_MAX) }, () => {
    const name = pick(random, files)
    if (name === undefined) return 'nothing'
    const { what, bytes } = damaged(random, readFileSync(join(directory, name)))
    writeFileSync(join(directory, name), bytes)
    return `${name} ${what}`
  })
}

/** Where something is written: a segment is reserved in full, and what follows is zeros. */
export const damaged = (random: Random, bytes: Uint8Array): { readonly what: string; readonly bytes: Uint8Array } => {
  const used = bytes.findLastIndex((byte) => byte !== 0) + 1
  const at = between(random, 0, Math.max(0, used - 1))
  if (chance(random, CUTS)) return { what: `cut at ${at}`, bytes: bytes.slice(0, at) }
  const flipped = Uint8Array.from(bytes)
  if (flipped.length > 0) flipped[at] = (flipped[at] ?? 0) ^ (1 << between(random, 0, 7))
  return { what: `flipped at ${at}`, bytes: flipped }
}
