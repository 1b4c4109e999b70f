/**
 * The corpus: for each decoder inputs that every run begins with, one a line in hex, in `test/corpus/fuzz/<decoder>.txt`. Lines that begin
 * with # say why: what an input once broke, or which outcome it is the smallest of.
 */

import type { LocalFiles } from '../storage/localFiles.ts'

export type Corpus = ReadonlyMap<string, readonly Uint8Array[]>

/** More of one decoder are not kept; inputs longer than this neither. */
const LINES_MAX = 20
const LINE_BYTES_MAX = 1_024

const fileOf = (directory: string, name: string): string => `${directory}/${name.replaceAll(' ', '-')}.txt`

export const linesOf = (text: string): readonly Uint8Array[] =>
  text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => Uint8Array.from(Buffer.from(line.trim(), 'hex')))

export const readCorpus = async (files: LocalFiles, directory: string, names: readonly string[]): Promise<Corpus> =>
  new Map(await Promise.all(names.map(async (name) => {
    const text = await files.readText(fileOf(directory, name))
    return [name, linesOf(text ?? '')] as const
  })))

/** Adds inputs of outcomes that the corpus has none of. */
export const growCorpus = async (
  files: LocalFiles, directory: string, found: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>,
): Promise<number> => {
  let added = 0
  await files.makeDirectory(directory)
  for (const [name, signatures] of found) {
    const path = fileOf(directory, name)
    const text = await files.readText(path) ?? ''
    const known = new Set(text.split('\n').filter((line) => line.startsWith('# ')).map((line) => line.slice(2)))
    const room = Math.max(0, LINES_MAX - linesOf(text).length)
    const fresh = [...signatures]
      .filter(([signature, bytes]) => !known.has(lineOf(signature)) && bytes.length <= LINE_BYTES_MAX).slice(0, room)
    if (fresh.length === 0) continue
    const lines = fresh.toSorted(([a], [b]) => (a < b ? -1 : 1)).flatMap(([signature, bytes]) =>
      [`# ${lineOf(signature)}`, Buffer.from(bytes).toString('hex')])
    await files.writeAtomically(path, `${text}${lines.join('\n')}\n`)
    added += fresh.length
  }
  return added
}

const lineOf = (signature: string): string => signature.replaceAll(/[^\x20-\x7e]/g, '?')
