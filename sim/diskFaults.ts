/**
 * Faults of disks: stalls, errors, no room, and damage.
 *
 * Damage stays within what the product promises to survive: of every shard a majority of good disks (atlas.ts), behind at least a few
 * synced commit groups (the last group's window is stated in the guarantees), and only between lives.
 */

import { between, chance, pick } from '../actors/kernel/random.ts'
import { harm, mayDamage } from './atlas.ts'
import { say } from './faultContext.ts'
import { findsItself } from './mapKeepers.ts'
import type { DamagedKind, Disk } from './disk.ts'
import type { FaultAction, Range } from './faultContext.ts'

const STALL_MS: Range = [100, 5_000]
const FULL_MS: Range = [200, 4_000]
const FREE_BYTES_MAX = 16_384

export const diskStall: FaultAction = (context, machine) => {
  const ms = between(context.random, ...STALL_MS)
  say(context, 'diskStall', `${machine.id} for ${ms} ms`)
  machine.disk.stallUntil(context.timeline.now() + ms)
}

export const diskFull: FaultAction = (context, machine) => {
  const freeBytes = between(context.random, 0, FREE_BYTES_MAX)
  const ms = between(context.random, ...FULL_MS)
  say(context, 'diskFull', `${machine.id}, ${freeBytes} bytes left, for ${ms} ms`)
  machine.disk.fill(freeBytes)
  context.timeline.schedule(ms, () => {
    machine.disk.makeRoom()
    say(context, 'diskRoom', machine.id)
  })
}

export const syncError: FaultAction = (context, machine) => {
  say(context, 'syncError', machine.id)
  machine.mayExit = 'syncError'
  machine.disk.failNextSync()
}

/** What a start finds is no longer what was left there: of a log or a snapshot, by chance, unless `change` means one of them. */
export const damage = (kind: string, change: (disk: Disk, file: DamagedKind) => string | null): FaultAction => (context) => {
  const { cluster, random } = context
  const { machines } = cluster
  const newest = context.newestMap()
  const victim = pick(random, machines.filter((machine) =>
    machine.node !== null && mayDamage(machines, newest, machine) && findsItself(machines, newest, machine)))
  if (victim === undefined || cluster.isThinned) return
  cluster.kill(victim)
  const place = change(victim.disk, chance(random, 0.5) ? 'snapshot' : 'log')
  if (place !== null) {
    harm(victim, newest, place)
    say(context, kind, `${victim.id} ${place}`)
  }
  context.restart(victim)
}

export const bitFlip = damage('bitFlip', (disk, file) => disk.flipBit(file))
export const zeroSector = damage('zeroSector', (disk, file) => disk.zeroSector(file))
export const misdirectedWrite = damage('misdirectedWrite', (disk, file) => disk.misdirectWrite(file))
export const zeroTail = damage('zeroTail', (disk, file) => disk.zeroTail(file))
