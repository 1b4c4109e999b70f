/**
 * The node of the next version, beside today's in one process: the sources of a node, copied and changed by test/layouts/next.json. So a
 * simulated cluster may be of two versions that write different layouts. A planted bug (test/mutants) is in both.
 */

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkout } from '../../chaos/ground/checkout.ts'
import { readNextLayouts } from '../../chaos/ground/nextBuild.ts'
import type { Planted } from '../../chaos/ground/hauntedBuild.ts'
import type { openEnvelope } from '../../bus/envelope.ts'
import type { createSnapshotFiles } from '../../storage/snapshotFiles.ts'
import type { createNode } from '../../topology/node.ts'

/** What a node is made of. */
const FOLDERS = ['actors', 'bus', 'gateway', 'observe', 'storage', 'topology']

interface Mutant extends Planted {
  readonly also?: readonly Planted[]
}

export interface NextNode {
  readonly createNode: typeof createNode
  /** Reads both layouts. */
  readonly openEnvelope: typeof openEnvelope
  readonly createSnapshotFiles: typeof createSnapshotFiles
  readonly remove: () => void
}

export const loadNextNode = async (): Promise<NextNode> => {
  const folder = mkdtempSync(join(tmpdir(), 'shardkv-next-'))
  for (const name of FOLDERS) cpSync(join(checkout, name), join(folder, name), { recursive: true })
  for (const name of ['node_modules', 'package.json']) symlinkSync(join(checkout, name), join(folder, name))
  for (const edit of [...mutantEdits(), ...readNextLayouts().edits]) change(folder, edit)
  const node = await import(join(folder, 'topology/node.ts')) as Pick<NextNode, 'createNode'>
  const envelope = await import(join(folder, 'bus/envelope.ts')) as Pick<NextNode, 'openEnvelope'>
  const storage = await import(join(folder, 'storage/snapshotFiles.ts')) as Pick<NextNode, 'createSnapshotFiles'>
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  return { createNode: node.createNode, openEnvelope: envelope.openEnvelope, createSnapshotFiles: storage.createSnapshotFiles, remove }
}

/** Those of this run, if it has a bug planted in a file that a node is made of. */
const mutantEdits = (): readonly Planted[] => {
  const name = process.env['SHARDKV_MUTANT'] ?? ''
  if (name === '') return []
  const mutant = JSON.parse(readFileSync(join(checkout, 'test/mutants', name), 'utf8')) as Mutant
  return [mutant, ...mutant.also ?? []].filter(({ file }) => FOLDERS.includes(file.split('/')[0] ?? ''))
}

const change = (folder: string, { file, find, replace }: Planted): void => {
  const path = join(folder, file)
  const parts = readFileSync(path, 'utf8').split(find)
  if (parts.length !== 2) throw new Error(`${file} has the text "${find}" ${parts.length - 1} times`)
  writeFileSync(path, parts.join(replace))
}
