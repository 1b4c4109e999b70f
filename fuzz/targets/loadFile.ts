/** What the command line reads for a load: a file of records in any chunks, its checkpoint, a key template; and the SDK's codecs. */

import { chance } from '../../actors/kernel/random.ts'
import { parseCheckpoint } from '../../cli/load/checkpoint.ts'
import { createSplitter, SplitError } from '../../cli/load/splitter.ts'
import { parseTemplate, TemplateError } from '../../cli/load/template.ts'
import { json, text } from '../../sdk/codec.ts'
import { drawHex, drawList, drawWhole, drawWord, one } from '../draw.ts'
import { refused, utf8 } from '../target.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Outcome, Target } from '../target.ts'

const drawRecord = (random: Random): string => JSON.stringify(Object.fromEntries(drawList(random, 3, (r) =>
  [drawWord(r, 4), one(r, [1, true, 'x{"', 'ü🙂', 'a\\', [1, [2]], { b: '}' }])])))

const split = (pieces: readonly Uint8Array[]): Outcome => {
  const records: Uint8Array[] = []
  const splitter = createSplitter()
  try {
    for (const piece of pieces) records.push(...splitter.push(piece))
    records.push(...splitter.end())
  } catch (error) {
    if (error instanceof SplitError) return refused(error.message)
    throw error
  }
  return { ok: true, shape: `${Math.min(4, records.length)} records`, value: records.map((record) => Buffer.from(record).toString('hex')) }
}

export const loadFile: Target = {
  name: 'load file', share: 5, isCanonical: false, words: ['\n', '[', ']', '{', '}', '"', '\\', ',', ' ', '\ufeff', '{"a":1}'],
  example: (random) => {
    const records = drawList(random, 5, drawRecord)
    return utf8(chance(random, 0.5) ? `[${records.join(chance(random, 0.5) ? ',' : ' , ')}]` : records.join('\n'))
  },
  decode: (bytes) => split([bytes]),
  decodePieces: split,
}

export const checkpoint: Target = {
  name: 'checkpoint', share: 2, isCanonical: false, words: ['null', '""', '{}', '[]', '"file":', '"digest":', '-1'],
  example: (random) => utf8(JSON.stringify({
    version: 1, file: { sizeBytes: drawWhole(random), modifiedMs: 1, digest: drawHex(random, 64) }, template: '{a}',
    run: drawHex(random, 16), completed: drawWhole(random),
  })),
  decode: (bytes) => {
    const found = parseCheckpoint(Buffer.from(bytes).toString())
    return found === null ? refused('no checkpoint') : { ok: true, shape: 'checkpoint', again: utf8(JSON.stringify(found)), value: found }
  },
}

const RECORD = { a: 'x', b: 2, c: true, d: null, e: { f: 1 } }

export const keyTemplate: Target = {
  name: 'key template', share: 2, isCanonical: false, words: ['{a}', '{b}', '{line}', '{', '}', '.', '{}', '{toString}', '{__proto__}'],
  example: (random) => utf8(one(random, ['{a}.{b}-{line}', '{a}', 'x{c}', 'p.{a}', '{line}'])),
  decode: (bytes) => {
    try {
      const key = parseTemplate(Buffer.from(bytes).toString()).keyOf(RECORD, 7)
      return { ok: true, shape: key.startsWith('{') ? 'partition' : 'key', value: key }
    } catch (error) {
      if (error instanceof TemplateError) return refused(error.message)
      throw error
    }
  },
}

/** Values that are no UTF-8 or no JSON are the caller's: an error of its own, which the SDK hands on as CodecError. */
export const sdkCodecs: Target = {
  name: 'sdk codecs', share: 2, isCanonical: false, words: ['null', '[]', '{}', '"\\u0000"', '1e999', '-0', 'true'],
  example: (random) => utf8(JSON.stringify(drawList(random, 4, (r) => one(r, [1, 'ü', null, true, {}])))),
  decode: (bytes) => {
    try {
      const read = text.decode(bytes)
      const value = json<unknown>().decode(bytes)
      return { ok: true, shape: typeof value, again: json<unknown>().encode(value), value: read }
    } catch (error) {
      // By name: a test's TextDecoder throws errors of another realm.
      const { name } = error as Error
      if (name === 'SyntaxError' || name === 'TypeError') return refused(name)
      throw error
    }
  },
}
