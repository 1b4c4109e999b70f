/**
 * Runs that failed once, kept for ever (test/corpus/sim): whoever changes what they found out sees them fail again. A file each, as
 * `--case` reads them; the story in it says what it was.
 */

import { UsageError } from '../lanes/usage.ts'
import { createLocalFiles } from '../storage/localFiles.ts'
import { decodeCase } from './case.ts'
import { calmOptions } from './options.ts'
import type { SimCase } from './case.ts'

/** Every option that a case does not name is as in a run in which nothing happens by itself. */
export const readCase = async (path: string): Promise<SimCase> => {
  const text = await createLocalFiles().readText(path)
  if (text === null) throw new UsageError(`there is no case ${path}`)
  return decodeCase(text, calmOptions(1))
}

/** By file name. */
export const readCorpus = async (directory: string): Promise<ReadonlyMap<string, SimCase>> => {
  const names = (await createLocalFiles().list(directory)).filter((name) => name.endsWith('.json'))
  const cases = new Map<string, SimCase>()
  for (const name of names) cases.set(name, await readCase(`${directory}/${name}`))
  return cases
}
