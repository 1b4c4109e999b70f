/** The genesis is written once: after any crash it is whole or absent, and where it is absent it can be written again. */

import { createRandom } from '../../actors/kernel/random.ts'
import { genesis, openDesk } from '../genesisDesk.ts'
import { createRig } from '../rig.ts'
import { counting } from '../scenario.ts'
import type { FileError } from '../../storage/fileSystem.ts'
import type { DiskImage } from '../../storage/memoryFileSystem.ts'
import type { Desk } from '../genesisDesk.ts'
import type { MemoryNames } from '../../storage/memoryNames.ts'
import type { Played, Scenario, SecondLife, Trouble } from '../scenario.ts'

const wanted = JSON.stringify({ kind: 'found', genesis })

const judge = (answer: FileError | null | undefined, image: DiskImage): string | undefined => {
  const again = openDesk({ image })
  const found = again.read()
  if (found?.kind === 'found') return JSON.stringify(found) === wanted ? undefined : 'INVENTED: another genesis'
  if (found?.kind !== 'none') return `the genesis is ${JSON.stringify(found)}`
  if (answer === null) return 'SILENT LOSS: the genesis was answered and is gone'
  return again.write() === null ? undefined : 'the genesis can not be written again'
}

/** A node that finds its genesis opens its log; where there is none yet, it is written. */
const secondLife = (cache: MemoryNames): SecondLife => {
  const desk = openDesk({ cache })
  const found = desk.read()
  const answer = found?.kind === 'none' ? desk.write() : null
  const log = found?.kind === 'found' ? createRig({ on: desk }).open() : undefined
  return { disk: desk.disk, judge: (image) => (log?.wal.state() === 'halted' ? 'the log does not open' : judge(answer, image)) }
}

const behaved = (desk: Desk, answer: FileError | null | undefined, trouble: Trouble): string | undefined => {
  if (answer === undefined) return `${trouble}: no answer`
  return judge(answer, desk.disk.crash({ random: createRandom(5), keep: 0 }))
}

export const genesisScenario: Scenario = {
  name: 'genesis write',
  play: (faultAt) => {
    const { fault, calls } = counting(faultAt)
    const desk = openDesk({ fault })
    const answer = desk.write()
    const played: Played = {
      calls: calls(), disk: desk.disk,
      judge: (image) => judge(answer, image),
      liveOn: secondLife,
      restart: (image, again) => {
        const second = openDesk({ image, fault: counting(again).fault })
        second.read()
        return second.disk
      },
      behaved: (trouble) => behaved(desk, answer, trouble),
    }
    return played
  },
}
