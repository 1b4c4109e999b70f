/** A disk that decays, under a node that is down. */

import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../../actors/kernel/assert.ts'

const SEGMENT_HEADER_BYTES = 4_096

/** In the header of the first commit group: what was synced long ago does not read back, and nobody can say whose it was. */
export const flipBit = (directory: string): void => {
  const log = join(directory, 'wal')
  const path = join(log, must(readdirSync(log).filter((name) => name.endsWith('.wal')).sort()[0], 'a node has a log'))
  const bytes = readFileSync(path)
  bytes[SEGMENT_HEADER_BYTES + 8] = (bytes[SEGMENT_HEADER_BYTES + 8] ?? 0) ^ 1
  writeFileSync(path, bytes)
}
