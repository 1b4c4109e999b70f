/** The genesis is written once: after any crash it is whole or absent, and where it is absent it can be written again. */

import { createRandom } from '../../actors/kernel/random.ts'
import { readGenesis, writeGenesis } from '../../storage/genesis.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { clusterId, nodeId, replicaId } from '../../topology/ids.ts'
import { counting } from '../scenario.ts'
import { createVirtualClock } from '../virtualClock.ts'
import type { Genesis } from '../../actors/wal/protocol.ts'
import type { FileError } from '../../storage/fileSystem.ts'
import type { GenesisResult } from '../../storage/genesis.ts'
import type { DiskCall, DiskFault, DiskImage, MemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import type { Played, Scenario, Trouble } from '../scenario.ts'

const members = [nodeId('a'), nodeId('b')]
const genesis: Genesis = {
  cluster: clusterId('0123456789abcdef'), node: nodeId('a'), shardCount: 2, members,
  replicas: [members.map((member) => replicaId(member, 1)), members.map((member) => replicaId(member, 1))], createdAtMs: 1_700_000_000_000,
}
const wanted = JSON.stringify({ kind: 'found', genesis })

interface Desk {
  readonly disk: MemoryFileSystem
  readonly read: () => GenesisResult | undefined
  readonly write: () => FileError | null | undefined
}

interface DeskOptions { readonly image?: DiskImage; readonly fault?: (call: DiskCall) => DiskFault | undefined }

const openDesk = (options: DeskOptions = {}): Desk => {
  const clock = createVirtualClock()
  const disk = createMemoryFileSystem({ schedule: (fn) => clock.defer(fn), ...options })
  return {
    disk,
    read: () => {
      let found: GenesisResult | undefined
      readGenesis(disk, (result) => { found = result })
      clock.advance(1)
      return found
    },
    write: () => {
      let answer: FileError | null | undefined
      writeGenesis(disk, genesis, (error) => { answer = error })
      clock.advance(1)
      return answer
    },
  }
}

const judge = (answer: FileError | null | undefined, image: DiskImage): string | undefined => {
  const again = openDesk({ image })
  const found = again.read()
  if (found?.kind === 'found') return JSON.stringify(found) === wanted ? undefined : 'INVENTED: another genesis'
  if (found?.kind !== 'none') return `the genesis is ${JSON.stringify(found)}`
  if (answer === null) return 'SILENT LOSS: the genesis was answered and is gone'
  return again.write() === null ? undefined : 'the genesis can not be written again'
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
