/** A data directory without what is in it. The directory itself stays: it may be a mount (smallDisk.ts), which nothing can remove. */

import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export const emptyDirectory = (directory: string): void => {
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true, force: true })
}
