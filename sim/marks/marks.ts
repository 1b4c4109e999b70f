/** All marks of a run: what happens is shown to every subject, and counted. */

import { broker } from './broker.ts'
import { disks } from './disks.ts'
import { elections } from './elections.ts'
import { files } from './files.ts'
import { leadership } from './leadership.ts'
import { logs } from './logs.ts'
import { maps } from './maps.ts'
import { members } from './members.ts'
import { processes } from './processes.ts'
import { reads } from './reads.ts'
import { requests } from './requests.ts'
import { snapshots } from './snapshots.ts'
import { createWorld } from './world.ts'
import type { Observer, Subject } from './mark.ts'
import type { WorldPorts } from './world.ts'

export const subjects: readonly Subject[] = [
  elections, leadership, logs, reads, requests, snapshots, disks, files, broker, processes, maps, members,
]

/** Every mark, in the order of the subjects. */
export const markNames: readonly string[] = subjects.flatMap(({ marks }) => marks)

/** How often each mark was hit; every mark is in it. */
export type MarkCounts = Readonly<Record<string, number>>

export interface Marks extends Required<Omit<Observer, 'onEnd'>> {
  /** The counts of a run that is over. */
  readonly end: () => MarkCounts
}

export const createMarks = (ports: WorldPorts): Marks => {
  const counts: Record<string, number> = Object.fromEntries(markNames.map((mark) => [mark, 0]))
  const hit = (mark: string): void => { counts[mark] = (counts[mark] ?? 0) + 1 }
  const { world, see, forget } = createWorld(ports)
  const observers = subjects.map(({ observe }) => observe(hit, world))
  const shown = <Name extends keyof Observer>(name: Name): NonNullable<Observer[Name]>[] =>
    observers.map((observer) => observer[name]).filter((listener) => listener !== undefined)
  const [views, mail, steps, expired, sessionsEnded] =
    [shown('onView'), shown('onMail'), shown('onStep'), shown('onExpired'), shown('onSessionEnded')]
  const [lines, completed, states, ends] = [shown('onLine'), shown('onCompleted'), shown('onMap'), shown('onEnd')]
  return {
    onView: (view, before) => {
      see(view)
      for (const listener of views) listener(view, before)
    },
    onMap: (state, before) => { for (const listener of states) listener(state, before) },
    onMail: (sent) => { for (const listener of mail) listener(sent) },
    onStep: (step) => { for (const listener of steps) listener(step) },
    onExpired: (shard, key) => { for (const listener of expired) listener(shard, key) },
    onSessionEnded: (shard, client) => { for (const listener of sessionsEnded) listener(shard, client) },
    onLine: (line) => {
      for (const listener of lines) listener(line)
      if (line.what === 'machine' && (line.details === 'is killed' || line.details === 'loses power')) forget(line.who)
    },
    onCompleted: (operation) => { for (const listener of completed) listener(operation) },
    end: () => {
      for (const listener of ends) listener()
      return counts
    },
  }
}
