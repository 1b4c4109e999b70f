/** What a lane leaves for the scoreboard: one JSON file a lane, in the folder that SHARDKV_FIGURES names (default `.figures`). */

import { createLocalFiles } from '../storage/localFiles.ts'

export interface LaneResult {
  readonly lane: string
  readonly commit: string
  readonly passed: number
  readonly failed: number
  readonly figures: Readonly<Record<string, unknown>>
}

export const writeFigures = async (directory: string, result: LaneResult): Promise<void> => {
  const files = createLocalFiles()
  await files.makeDirectory(directory)
  const { lane, commit, passed, failed, figures } = result
  const content = { lane, commit, finishedAt: new Date().toISOString(), passed, failed, figures }
  await files.writeAtomically(`${directory}/${lane}.json`, `${JSON.stringify(content, null, 2)}\n`)
}
