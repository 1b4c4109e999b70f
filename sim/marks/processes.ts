/** Processes that die, stop, drain and come back, and clocks that jump. */

import { defineSubject } from './mark.ts'
import type { Columns } from '../trace.ts'

export const processes = defineSubject('process faults', [
  'a leader was killed',
  'a follower was killed',
  'a leader died with entries that nobody had committed',
  'a process died before it stood',
  'two machines were down at once',
  'fewer machines lived than a quorum needs',
  'a leader was stopped',
  'another led before a stopped leader ran again',
  'a stopped leader ran again before anybody else led',
  'two processes were stopped at once',
  'a process was stopped for more than ten seconds',
  'a leader was drained',
  'a process ended by itself because it was told to',
  'a wall clock jumped forward',
  'a wall clock jumped back',
  'a leader had a wall clock that jumped',
  'a machine lived for the fourth time',
  'nodes were restarted one after another',
], (hit, world) => {
  const down = new Set<string>()
  const stopped = new Map<string, readonly (readonly [shard: number, term: number])[]>()
  const led = (node: string): (readonly [number, number])[] =>
    world.ofNode(node).filter(({ role }) => role === 'leader').map(({ shard, term }) => [shard, term])

  const onDeath = (node: string): void => {
    const views = world.ofNode(node)
    const leading = views.filter(({ role }) => role === 'leader')
    if (leading.length > 0) hit('a leader was killed')
    else if (views.length > 0) hit('a follower was killed')
    else if (!down.has(node)) hit('a process died before it stood')
    if (leading.some(({ lastIndex, commitIndex }) => lastIndex > commitIndex)) hit('a leader died with entries that nobody had committed')
    stopped.delete(node)
    down.add(node)
    if (down.size > 1) hit('two machines were down at once')
    if (world.nodes - down.size <= world.nodes / 2) hit('fewer machines lived than a quorum needs')
  }
  const onStopped = (node: string): void => {
    const leading = led(node)
    if (leading.length > 0) hit('a leader was stopped')
    stopped.set(node, leading)
    if (stopped.size > 1) hit('two processes were stopped at once')
  }
  const onRunning = (node: string): void => {
    for (const [shard, term] of stopped.get(node) ?? []) {
      const isReplaced = (world.leaderOf(shard)?.term ?? 0) > term
      hit(isReplaced ? 'another led before a stopped leader ran again' : 'a stopped leader ran again before anybody else led')
    }
    stopped.delete(node)
  }
  const onMachine = ({ who, details }: Columns): void => {
    if (details === 'is killed' || details === 'loses power') onDeath(who)
    if (details === 'is stopped') onStopped(who)
    if (details === 'runs again') onRunning(who)
    if (details.startsWith('starts')) down.delete(who)
    if (details === 'starts, life 4') hit('a machine lived for the fourth time')
    if (details.startsWith('ended by itself')) hit('a process ended by itself because it was told to')
  }
  const onFault = (details: string): void => {
    const [kind, node = '', , ms = '0'] = details.split(' ')
    if (kind === 'drain' && world.isLeading(node)) hit('a leader was drained')
    if (kind === 'rollingRestart') hit('nodes were restarted one after another')
    if (kind === 'longPause') hit('a process was stopped for more than ten seconds')
    if (kind !== 'wallJump') return
    hit(Number(ms) < 0 ? 'a wall clock jumped back' : 'a wall clock jumped forward')
    if (world.isLeading(node)) hit('a leader had a wall clock that jumped')
  }
  return {
    onLine: (line) => {
      if (line.what === 'machine') onMachine(line)
      if (line.what === 'fault') onFault(line.details)
    },
  }
})
