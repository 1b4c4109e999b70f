/**
 * `npm run bench -- <question> [flags]`: what ShardKV does, measured on this machine beside its floor, its peers or another build. One file
 * a question, in bench/questions; docs/PERFORMANCE.md has the published figures and the line that repeats each.
 */

import { Command } from 'commander'
import { addFloor } from './questions/floor.ts'
import { addGet } from './questions/get.ts'
import { addMixed } from './questions/mixed.ts'
import { addPut } from './questions/put.ts'
import { addRaw } from './questions/raw.ts'

export const main = async (args: readonly string[]): Promise<void> => {
  const program = new Command('bench').description('measures ShardKV on this machine')
  for (const add of [addPut, addGet, addMixed, addRaw, addFloor]) add(program)
  await program.parseAsync([...args], { from: 'user' })
  process.exit()
}
