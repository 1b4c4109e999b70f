/** What tests of the log do with a rig (torture/rig.ts): restart it after a power failure, fill it, look at its disk. */

import { createRandom } from '../../actors/kernel/random.ts'
import { createRig, entryOf } from '../../torture/rig.ts'
import type { Rig, RigOptions } from '../../torture/rig.ts'

export const restart = (rig: Rig, options: RigOptions = {}): Rig => {
  const image = rig.disk.crash({ random: createRandom(3), keep: 0 })
  rig.wal.stop()
  return createRig({ ...options, image }).open()
}

export const typesOf = (rig: Rig): string[] => rig.notices.map(({ type }) => type)

export const fill = (rig: Rig, group: number, range: { readonly from: number; readonly to: number }): void => {
  for (let index = range.from; index <= range.to; index += 1) {
    rig.append(group, { entries: [entryOf(index, { bytes: 1_500 })] })
    rig.clock.advance(3)
  }
}

export const segmentsOn = (rig: Rig): string[] => [...rig.disk.image().files.keys()]
