/**
 * What nodes ask each other about their recordings and answer, as JSON: any node that may speak on the trace subjects can send it. And a
 * recording as a file, which a person got from somebody.
 */

import { happeningKinds } from '../../actors/kernel/recorder.ts'
import { chance } from '../../actors/kernel/random.ts'
import { CliError } from '../../cli/exit.ts'
import { recordingIn } from '../../cli/trace/recordingFile.ts'
import { headLine, recordLine } from '../../observe/recorder/recording.ts'
import { decodeActors, decodeFrame, decodePage, decodeQuestion, decodeRequests, encodeJson } from '../../observe/recorder/wire.ts'
import { drawHex, drawList, drawU32, drawWhole, drawWord, one } from '../draw.ts'
import { refused, utf8 } from '../target.ts'
import type { ActorRecord } from '../../observe/recorder/record.ts'
import type { RecordingHead } from '../../observe/recorder/recording.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Target } from '../target.ts'

const NODE = 'n1'
const words = [
  'null', '[]', '{}', '""', '-1', '1e999', '0.5', '"kind":', '"kinds":["state"]', '"detail":', '"records":', '"next":', '"actors":',
  '"requests":', '"__proto__":', '"node":"n1"', ',',
]

/** `name` is for people; undefined is how these decoders refuse. */
const targetOf = (
  name: string, decode: (bytes: Uint8Array) => object | undefined, draw: (random: Random) => unknown,
): Target => ({
  name, share: 2, isCanonical: false, words,
  example: (random) => encodeJson(draw(random)),
  decode: (bytes) => {
    const value = decode(bytes)
    if (value === undefined) return refused(`no ${name}`)
    return { ok: true, shape: shapeOf(value), again: encodeJson(Array.isArray(value) ? { records: value } : value), value }
  },
})

const shapeOf = (value: object): string => Object.entries(value).slice(0, 8)
  .map(([name, each]) => `${name} ${Array.isArray(each) ? Math.min(3, each.length) : typeof each}`).join(' ')

const drawRecord = (random: Random): unknown => ({
  at: drawWhole(random), seq: drawU32(random), node: NODE, actor: one(random, ['wal', 'raft/7', 'door']),
  kind: one(random, happeningKinds), event: drawWord(random, 12),
  ...(chance(random, 0.5) ? { trace: drawHex(random, 32), micros: drawU32(random), peer: 'n2' } : {}),
  ...(chance(random, 0.5) ? { shard: 3, term: drawU32(random), detail: { op: 'put', key: drawWord(random, 8), isLast: true } } : {}),
})

export const traceQuestion = targetOf('trace question', decodeQuestion, (random) => one<unknown>(random, [
  { kind: 'actors' }, { kind: 'watch', detail: chance(random, 0.5) },
  { kind: 'requests', order: one(random, ['slowest', 'newest']), isFailed: false, key: drawWord(random, 8), limit: drawU32(random) },
  {
    kind: 'page', after: drawU32(random), from: drawWhole(random), to: drawWhole(random), trace: one(random, ['', drawHex(random, 32)]),
    ...(chance(random, 0.5) ? { kinds: drawList(random, 3, (r) => one(r, happeningKinds)) } : {}),
  },
]))

export const recordPage = targetOf('page of records', decodePage, (random) =>
  ({ records: drawList(random, 4, drawRecord), next: one(random, [null, drawU32(random)]) }))

export const feedFrame = targetOf('feed frame', (bytes) => decodeFrame(bytes, NODE), (random) =>
  ({ records: drawList(random, 4, drawRecord) }))

export const keptRequests = targetOf('list of kept requests', (bytes) => {
  const requests = decodeRequests(bytes)
  return requests === undefined ? undefined : { requests }
}, (random) => ({ requests: drawList(random, 4, (r) => ({
  trace: drawHex(r, 32), at: drawWhole(r), node: NODE, op: 'put', shard: 3, status: one(r, ['OK', 'TIMEOUT']), micros: drawU32(r),
  key: drawWord(r, 8),
})) }))

export const actorsOfNode = targetOf('list of actors', decodeActors, (random) => ({
  node: NODE, at: drawWhole(random), actors: drawList(random, 4, (r) => ({
    actor: 'raft/7', machine: 'raft', state: one(r, ['follower', 'leader.serving']), since: drawWhole(r), counters: { term: drawU32(r) },
  })),
}))

const drawHead = (random: Random): Omit<RecordingHead, 'format' | 'version'> => ({
  cluster: drawHex(random, 16), madeAt: drawWhole(random), nodes: [NODE], missing: drawList(random, 2, (r) => drawWord(r, 4)), from: null,
  to: one(random, [null, drawWhole(random)]),
})

/** `shardkv replay` reads it: what is wrong is said with the line, and nothing else is thrown. */
export const recordingFile: Target = {
  name: 'recording', share: 2, isCanonical: false,
  words: [...words, '\n', '"format":"shardkv-recording"', '"version":1', '"at":1', '"at":9e15', '"seq":'],
  example: (random) => utf8(headLine(drawHead(random)) + drawList(random, 4, (r) => recordLine(drawRecord(r) as ActorRecord)).join('')),
  decode: (bytes) => {
    try {
      const { head, records } = recordingIn(new TextDecoder().decode(bytes), 'x')
      // As whoever shows it does.
      for (const at of [head.madeAt, ...records.map((record) => record.at)]) new Date(at).toISOString()
      const { format: _format, version: _version, ...rest } = head
      return {
        ok: true, shape: `${Math.min(4, records.length)} records`, again: utf8(headLine(rest) + records.map(recordLine).join('')),
        value: records,
      }
    } catch (error) {
      if (error instanceof CliError) return refused(error.message)
      throw error
    }
  },
}
