/**
 * A snapshot that arrives in pieces, as a leader sends it or as anything else may: pieces in any order, twice, cut short, of another length
 * than said. The real store takes them on a disk in memory; what it installs must be what the pieces make in order, verified as a whole.
 *
 *   input = total:u16 { offset:u16 length:u16 bytes } ...
 */

import { between, chance, shuffle } from '../../actors/kernel/random.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { createSnapshotFiles } from '../../storage/snapshotFiles.ts'
import { refused } from '../target.ts'
import { drawSnapshot } from './files.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { SnapshotInfo, SnapshotStore } from '../../storage/snapshotStore.ts'
import type { Outcome, Target } from '../target.ts'

interface Piece {
  readonly offset: number
  readonly bytes: Uint8Array
}

interface Transfer {
  readonly total: number
  readonly pieces: readonly Piece[]
}

const U16_BYTES = 2
const PIECE_HEADER_BYTES = 2 * U16_BYTES
/** As a file of its group and index is named; the header inside says what it is of. */
const GROUP = 3
const INDEX = 7
const TERM = 2

const encode = ({ total, pieces }: Transfer): Uint8Array => {
  const head = Buffer.alloc(U16_BYTES)
  head.writeUInt16LE(total)
  return Buffer.concat([head, ...pieces.flatMap(({ offset, bytes }) => {
    const header = Buffer.alloc(PIECE_HEADER_BYTES)
    header.writeUInt16LE(offset)
    header.writeUInt16LE(bytes.length, U16_BYTES)
    return [header, bytes]
  })])
}

const read = (bytes: Uint8Array): Transfer | null => {
  if (bytes.length < U16_BYTES) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const pieces: Piece[] = []
  for (let at = U16_BYTES; at < bytes.length;) {
    if (at + PIECE_HEADER_BYTES > bytes.length) return null
    const start = at + PIECE_HEADER_BYTES
    const end = start + view.getUint16(at + U16_BYTES, true)
    if (end > bytes.length) return null
    pieces.push({ offset: view.getUint16(at, true), bytes: bytes.slice(start, end) })
    at = end
  }
  return { total: view.getUint16(0, true), pieces }
}

/** In order, some of them twice or out of turn: a store that takes only what fits has the whole in the end. */
const drawTransfer = (random: Random): Transfer => {
  const file = drawSnapshot(random, { group: GROUP, index: INDEX, term: TERM })
  const pieces: Piece[] = []
  for (let offset = 0; offset < file.length;) {
    const bytes = file.slice(offset, offset + between(random, 1, Math.ceil(file.length / 2)))
    const piece = { offset, bytes }
    pieces.push(...(chance(random, 0.2) && offset > 0 ? [piece, piece] : [piece]))
    offset += bytes.length
  }
  return { total: file.length, pieces: chance(random, 0.1) ? shuffle(random, pieces) : pieces }
}

/** By the rule alone: the first byte begins anew, and only what follows what is there is taken. */
const assembled = (pieces: readonly Piece[]): Uint8Array => pieces.reduce<Uint8Array>((whole, { offset, bytes }) => {
  if (offset === 0) return bytes
  return offset === whole.length ? Buffer.concat([whole, bytes]) : whole
}, new Uint8Array(0))

/** Calls that wait, taken one after the other: a step each, however deep they are nested. */
const createTurns = (): { readonly defer: (fn: () => void) => void; readonly run: () => void } => {
  const waiting: (() => void)[] = []
  return {
    defer: (fn) => { waiting.push(fn) },
    run: () => {
      for (let fn = waiting.shift(); fn !== undefined; fn = waiting.shift()) fn()
    },
  }
}

const openStore = (): { readonly store: SnapshotStore; readonly run: () => void } => {
  const { defer, run } = createTurns()
  const clock: Clock = { now: () => 0, wall: () => 0, after: () => () => {}, defer }
  return { store: createSnapshotFiles({ fileSystem: createMemoryFileSystem({ schedule: defer }), clock }), run }
}

const assemble = ({ total, pieces }: Transfer): Outcome => {
  const { store, run } = openStore()
  for (const { offset, bytes } of pieces) store.receive(GROUP, INDEX, TERM, offset, bytes, () => {})
  run()
  const found: { info: SnapshotInfo | null; outcome: Outcome } = { info: null, outcome: refused('no answer') }
  store.finishReceive(GROUP, INDEX, TERM, total, (error, info) => {
    if (error === null) found.info = info
    else found.outcome = refused(error.code ?? error.message)
  })
  run()
  const { info } = found
  if (info === null) return found.outcome
  if (info.group !== GROUP || info.index !== INDEX || info.term !== TERM) throw new Error('a snapshot of another name was installed')
  store.readRange(GROUP, INDEX, TERM, 0, total, (error, bytes) => {
    const wanted = assembled(pieces)
    if (error !== null || Buffer.compare(bytes, wanted) !== 0) throw new Error('what was installed is not what the pieces make')
    found.outcome = { ok: true, shape: `${Math.min(4, pieces.length)} pieces`, value: Buffer.from(bytes).toString('hex') }
  })
  run()
  return found.outcome
}

export const snapshotTransfer: Target = {
  name: 'snapshot transfer', share: 1, isCanonical: false, scratchBytes: 512 * 1_024,
  example: (random) => encode(drawTransfer(random)),
  decode: (bytes) => {
    const transfer = read(bytes)
    return transfer === null ? refused('no pieces') : assemble(transfer)
  },
}
