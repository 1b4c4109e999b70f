/** Where this checkout is, whether these files run from `dist` or, under jest, from their sources. */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const rootAbove = (folder: string): string =>
  (existsSync(join(folder, 'package.json')) ? folder : rootAbove(dirname(folder)))

export const checkout = rootAbove(dirname(fileURLToPath(import.meta.url)))

/** A file of the build. */
export const builtFile = (path: string): string => join(checkout, 'dist', path)
