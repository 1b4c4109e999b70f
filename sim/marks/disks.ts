/** Disks: what a power loss takes, errors, full and stalled disks, and damage between lives. */

import { defineSubject, isSameLife } from './mark.ts'
import type { Columns } from '../trace.ts'

const damages: Readonly<Partial<Record<string, { readonly log: DamageMark; readonly snapshot: DamageMark }>>> = {
  bitFlip: { log: 'a bit was flipped in a log', snapshot: 'a bit was flipped in a snapshot' },
  zeroSector: { log: 'a sector was zeroed in a log', snapshot: 'a sector was zeroed in a snapshot' },
  misdirectedWrite: { log: 'a write went to the wrong sector of a log', snapshot: 'a write went to the wrong sector of a snapshot' },
  zeroTail: { log: 'a tail was zeroed in a log', snapshot: 'a tail was zeroed in a snapshot' },
}

type Damaged = 'bit was flipped in' | 'sector was zeroed in' | 'tail was zeroed in' | 'write went to the wrong sector of'
type DamageMark = `a ${Damaged} a ${'log' | 'snapshot'}`

export const disks = defineSubject('disks', [
  'a power loss took entries that were not synced',
  'a power loss met a disk with nothing unsynced',
  'a torn tail was cut',
  'all machines lost power at once',
  'a sync failed, and its process ended',
  'a disk was full',
  'a full disk had room again',
  'a disk stalled',
  'a leader had a disk that stalled',
  'a member told its leader that its disk stalls',
  'a bit was flipped in a log',
  'a bit was flipped in a snapshot',
  'a sector was zeroed in a log',
  'a sector was zeroed in a snapshot',
  'a write went to the wrong sector of a log',
  'a write went to the wrong sector of a snapshot',
  'a tail was zeroed in a log',
  'a tail was zeroed in a snapshot',
  'two machines had damaged disks',
  'damage was found in a log',
  'a replica was quarantined',
], (hit, world) => {
  const damaged = new Set<string>()

  const onMachine = ({ who, details }: Columns): void => {
    if (details.startsWith('ended by itself') && /sync|EIO/.test(details)) hit('a sync failed, and its process ended')
    if (details !== 'loses power') return
    const views = world.ofNode(who)
    if (views.length === 0) return
    const isUnsynced = views.some(({ lastIndex, durableIndex, walBacklogBytes }) => lastIndex > durableIndex || walBacklogBytes > 0)
    hit(isUnsynced ? 'a power loss took entries that were not synced' : 'a power loss met a disk with nothing unsynced')
  }
  const onFault = (kind: string, details: string): void => {
    const [, machine = ''] = details.split(/[ ,]/)
    if (kind === 'powerLossOfAll') hit('all machines lost power at once')
    if (kind === 'diskStall') hit('a disk stalled')
    if (kind === 'diskStall' && world.isLeading(machine)) hit('a leader had a disk that stalled')
    const place = damages[kind]
    if (place === undefined) return
    hit(details.includes('.snap') ? place.snapshot : place.log)
    if (damaged.add(machine).size === 2) hit('two machines had damaged disks')
  }
  return {
    onLine: (line) => {
      const { what, details } = line
      if (what === 'machine') onMachine(line)
      if (what === 'fault') onFault(details.slice(0, details.indexOf(' ')), details)
      if (details.startsWith('log recovered') && !details.endsWith('tornBytes=0')) hit('a torn tail was cut')
      if (details.startsWith('WARN the disk is full')) hit('a disk was full')
      if (details.startsWith('WARN the disk has room again')) hit('a full disk had room again')
      if (details.startsWith('WARN the log was not as it was left')) hit('damage was found in a log')
    },
    onView: (view, before) => {
      const wasQuarantined = isSameLife(view, before) && before.quarantined !== undefined
      if (view.quarantined !== undefined && !wasQuarantined) hit('a replica was quarantined')
    },
    onMail: ({ shard, from, message }) => {
      if (message.type !== 'raft.heartbeatAcked' || !message.diskStalled) return
      // A learner says so, too, while it loads its state.
      const role = world.ofShard(shard).find(({ id }) => id === from)?.role
      if (role !== 'learner') hit('a member told its leader that its disk stalls')
    },
  }
})
