/**
 * The checkpoint of a load: how many records from the start are done, for which file, template and run.
 *
 * The file is told by its size, time and a digest of its first and last DIGEST_BYTES; a checkpoint of another file is refused,
 * never overwritten. The run's id is drawn when the load begins and kept across resumptions: request ids are made of it, so a record
 * whose answer was lost is written once however often it is sent, while a later load of the same file writes again.
 */

import { createHash } from 'node:crypto'
import { CliError, ExitCode } from '../exit.ts'
import type { LocalFiles } from '../../storage/localFiles.ts'

const DIGEST_BYTES = 64 * 1024

export interface FileIdentity {
  readonly sizeBytes: number
  readonly modifiedMs: number
  readonly digest: string
}

export interface Checkpoint {
  readonly version: 1
  readonly file: FileIdentity
  readonly template: string
  /** 16 hex digits. */
  readonly run: string
  /** Records 1 to this one are written. */
  readonly completed: number
}

export const identify = async (files: LocalFiles, path: string): Promise<FileIdentity> => {
  const facts = await files.facts(path)
  if (facts === null) throw new CliError(ExitCode.error, `there is no file ${path}`)
  const head = await files.readRange(path, 0, DIGEST_BYTES)
  const tail = await files.readRange(path, Math.max(0, facts.sizeBytes - DIGEST_BYTES), DIGEST_BYTES)
  const digest = createHash('sha256').update(head).update(tail).digest('hex')
  return { sizeBytes: facts.sizeBytes, modifiedMs: Math.round(facts.modifiedMs), digest }
}

export interface CheckpointWish {
  readonly path: string
  readonly file: FileIdentity
  readonly template: string
  readonly newRun: () => string
}

/** The checkpoint to go on from, or a fresh one; throws when the one that is there belongs to another load. */
export const openCheckpoint = async (files: LocalFiles, wish: CheckpointWish): Promise<Checkpoint> => {
  const text = await files.readText(wish.path)
  if (text === null) return { version: 1, file: wish.file, template: wish.template, run: wish.newRun(), completed: 0 }
  const found = parseCheckpoint(text)
  if (found === null) throw refusal(wish.path, 'is no checkpoint of a load')
  if (found.template !== wish.template) throw refusal(wish.path, `belongs to a load with --key '${found.template}'`)
  const { file } = found
  if (file.sizeBytes !== wish.file.sizeBytes || file.modifiedMs !== wish.file.modifiedMs || file.digest !== wish.file.digest) {
    throw refusal(wish.path, 'belongs to another file, or the file has changed since')
  }
  return found
}

export const saveCheckpoint = (files: LocalFiles, path: string, checkpoint: Checkpoint): Promise<void> =>
  files.writeAtomically(path, `${JSON.stringify(checkpoint)}\n`)

const refusal = (path: string, why: string): CliError =>
  new CliError(ExitCode.error, `${path} ${why}; remove it to start this load from the beginning, or name another with --checkpoint`)

export const parseCheckpoint = (text: string): Checkpoint | null => {
  try {
    const value = JSON.parse(text) as Partial<Checkpoint>
    const isValid = value.version === 1 && typeof value.template === 'string' && /^[0-9a-f]{16}$/.test(value.run ?? '')
      && Number.isInteger(value.completed) && typeof value.file?.digest === 'string'
    return isValid ? value as Checkpoint : null
  } catch {
    return null
  }
}
