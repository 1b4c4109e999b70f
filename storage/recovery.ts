/**
 * From the segments of a log to what it holds: this table of decisions, pure (docs/WAL_FORMAT.md, "Recovery").
 *
 *   a bad group, and nothing later proves that it was synced      torn: the log ends before it; the bytes after are zeroed
 *   a bad payload under a good record header, proven synced       that Raft group is quarantined, unless a later record makes up for it
 *   any other bad place proven synced, a segment missing or out   damage: every group of the node is quarantined, no byte is changed,
 *   of order, a begun segment shorter than it was made, one       and the log goes on in a new segment; a replica that begins in a
 *   that is needed, or above the log's end, and can not be read   later segment than all damage has lost nothing and is trusted
 *   segments below the newest `firstSegment`                      left over from an interrupted removal: removed
 *   a segment without a header that nothing proves synced         made ahead of its use, or torn when it was begun: not part of the log,
 *   behind all damage                                             also of a damaged one; zeroed and used next
 *
 * What nothing proves synced is written again, with the same bytes: it may be in the page cache alone, and where a sync of it has failed,
 * no other sync would write it (docs/WAL_FORMAT.md, race 12).
 *
 * Segments are loaded one at a time, in the order `next` asks for, so that memory holds one image, the newest segment's records
 * and the live entries.
 */

import { assert, must } from '../actors/kernel/assert.ts'
import type { RecoveredGroup, RecoveryReport } from '../actors/wal/protocol.ts'
import type { GroupId } from '../topology/ids.ts'
import { FIRST_LEVEL } from '../topology/level.ts'
import { createGroupLedger } from './groupLedger.ts'
import type { GroupLedger, GroupUsage } from './groupLedger.ts'
import type { SegmentEnd } from './coldSegment.ts'
import type { Position } from './group.ts'
import { align, endOfData } from './bytes.ts'
import { BLOCK_BYTES, decodeSegmentHeader, SEGMENT_BYTES_MIN } from './segment.ts'
import type { SegmentHeader } from './segment.ts'
import { provesHeader, readSegment } from './segmentReader.ts'
import type { SegmentReading } from './segmentReader.ts'

export interface SegmentHead {
  readonly segment: number
  readonly sizeBytes: number
  /** The first block of the file, or less when the file is shorter. Undefined: the disk can not read it. */
  readonly block: Uint8Array | undefined
}

/** Where and how the writer goes on. */
export interface LogTail {
  readonly end: Position
  readonly chain: number
  readonly salt: number
  /** False: the next group opens a new segment, `nextSegment`. */
  readonly continues: boolean
  readonly isSealed: boolean
  readonly nextSegment: number
  readonly firstSegment: number
  /** The last segment may hold replica records. */
  readonly holdsReplicas: boolean
  /** Of the last segment. */
  readonly level: number
}

/** What must be done, and synced, before the log is used. */
export type Repair =
  | { readonly kind: 'zero'; readonly segment: number; readonly from: number; readonly to: number }
  | { readonly kind: 'remove'; readonly segment: number }
  /** The bytes that were read there. */
  | Rewrite

interface Rewrite { readonly kind: 'rewrite'; readonly segment: number; readonly from: number; readonly bytes: Uint8Array }

export interface LogRecovery {
  readonly report: RecoveryReport
  readonly tail: LogTail
  readonly repairs: readonly Repair[]
  readonly usages: readonly GroupUsage[]
  /** Begun segments that stay, ascending. */
  readonly segments: readonly { readonly segment: number; readonly sizeBytes: number }[]
  /** The newest segment that damage of the node was found in; 0 for none. */
  readonly damagedThrough: number
  /** Where the log left each segment that has a successor. */
  readonly ends: ReadonlyMap<number, SegmentEnd>
  /** By segment, the offsets of the records that have lost their payload: what it costs whom is in the report. */
  readonly judged: ReadonlyMap<number, ReadonlySet<number>>
  /** A later version of ShardKV wrote this log: it must not be touched. */
  readonly isNewer: boolean
}

export interface Recovery {
  /** The segment to load next, or undefined when `finish` may be called. */
  readonly next: () => number | undefined
  /** `image`: all of the file; undefined where the disk can not read it. */
  readonly load: (segment: number, image: Uint8Array | undefined) => void
  readonly finish: () => LogRecovery
}

interface Loose { readonly segment: number; readonly reading: SegmentReading }

interface Torn extends Loose { readonly dataEnd: number }

interface State {
  readonly heads: ReadonlyMap<number, SegmentHead>
  readonly headers: ReadonlyMap<number, SegmentHeader>
  readonly isNewer: boolean
  /** Newest segment with a valid header; 0 when there is none. */
  readonly top: number
  readonly salt: number | undefined
  readonly ledgers: Map<GroupId, GroupLedger>
  readonly findings: string[]
  readonly repairs: Repair[]
  readonly judged: Map<number, Set<number>>
  damagedNode: string | undefined
  /** The newest segment that damage was found in; 0 for none. */
  damagedThrough: number
  /** The newest segment that is of the log, or may be, and can not be read; 0 for none. */
  unreadThrough: number
  firstSegment: number
  topReading: SegmentReading | undefined
  /** Of the newest segment. */
  unproven: Rewrite | undefined
  /** The chain at the end of the segment read last, when all of it was good. */
  lastChain: number | undefined
  tornBytes: number
  /** Segments above `top`: all zeros; without proof that any of it was synced; and without their header, which had been synced. */
  readonly blank: number[]
  readonly torn: Torn[]
  readonly loose: Loose[]
  /** Segments still to be loaded. */
  headless: number[]
  body: number[] | undefined
}

export const createRecovery = (heads: readonly SegmentHead[]): Recovery => {
  const state = survey(heads)
  return {
    next: () => nextSegment(state),
    load: (segment, image) => {
      assert(nextSegment(state) === segment, 'segments are loaded in the order recovery asks for them')
      // One whose header could not be read is read no further: without it a whole image would look like a group that was torn.
      const read = state.heads.get(segment)?.block === undefined ? undefined : image
      if (read === undefined) noteUnread(state, segment)
      if (state.headless[0] === segment) {
        state.headless.shift()
        if (read !== undefined) loadHeadless(state, segment, read)
      } else if (state.body === undefined) loadTop(state, read)
      else {
        state.body?.shift()
        if (read !== undefined) replay(state, segment, readingOf(state, segment, read))
      }
    },
    finish: () => finish(state),
  }
}

/** The same over whole images at once: for tests and tools. */
export const recoverLog = (images: ReadonlyMap<number, Uint8Array>): LogRecovery => {
  const heads = [...images].map(([segment, bytes]) => ({ segment, sizeBytes: bytes.length, block: bytes.subarray(0, 4_096) }))
  const recovery = createRecovery(heads)
  for (let segment = recovery.next(); segment !== undefined; segment = recovery.next()) {
    recovery.load(segment, must(images.get(segment), 'recovery asks for segments that exist'))
  }
  return recovery.finish()
}

const survey = (unsorted: readonly SegmentHead[]): State => {
  const heads = [...unsorted].sort((a, b) => a.segment - b.segment)
  const headers = new Map<number, SegmentHeader>()
  const findings: string[] = []
  let damagedNode: string | undefined
  let damagedThrough = 0
  let isNewer = false
  for (const { segment, block } of heads) {
    const header = block === undefined ? undefined : decodeSegmentHeader(block)
    if (header === 'newer') isNewer = true
    else if (header !== undefined && header.segment !== segment) {
      damagedNode = `segment ${segment} holds what was written as segment ${header.segment}`
      damagedThrough = segment
      findings.push(damagedNode)
    } else if (header !== undefined) headers.set(segment, header)
  }
  const numbers = [...headers.keys()]
  const top = numbers.at(-1) ?? 0
  const salt = headers.get(top)?.salt
  for (const segment of numbers) {
    if (headers.get(segment)?.salt === salt) continue
    headers.delete(segment)
    damagedNode ??= `segment ${segment} belongs to another log than segment ${top}`
    damagedThrough = Math.max(damagedThrough, segment)
    findings.push(damagedNode)
  }
  return {
    heads: new Map(heads.map((head) => [head.segment, head])), headers, isNewer, top, salt, ledgers: new Map(), findings, repairs: [],
    judged: new Map(),
    damagedNode, damagedThrough, unreadThrough: 0, firstSegment: headers.get(top)?.firstSegment ?? 0, topReading: undefined,
    unproven: undefined, lastChain: undefined, tornBytes: 0, blank: [], torn: [], loose: [],
    headless: heads.map(({ segment }) => segment).filter((segment) => segment > top), body: undefined,
  }
}

const nextSegment = (state: State): number | undefined => {
  if (state.isNewer) return undefined
  const headless = state.headless[0]
  if (headless !== undefined) return headless
  if (state.top === 0) return undefined
  if (state.body === undefined) return state.top
  return state.body?.[0]
}

const reportDamage = (state: State, segment: number, what: string): void => {
  state.damagedNode ??= what
  state.damagedThrough = Math.max(state.damagedThrough, segment)
  state.findings.push(what)
}

/** Whatever was in it counts as acknowledged: taken for nothing, or for what was made ahead, it would be lost without a word. */
const noteUnread = (state: State, segment: number): void => {
  reportDamage(state, segment, `segment ${segment} can not be read`)
  state.unreadThrough = Math.max(state.unreadThrough, segment)
  state.lastChain = undefined
}

/** A file above the newest valid header: made ahead, torn while being begun, or begun and damaged since. */
const loadHeadless = (state: State, segment: number, image: Uint8Array): void => {
  const read = (): SegmentReading => readSegment({ segment, image, chain: undefined, salt: state.salt, limit: undefined })
  if (provesHeader(segment, image, state.salt)) {
    reportDamage(state, segment, `segment ${segment}: its header had been synced and is damaged`)
    state.loose.push({ segment, reading: read() })
    return
  }
  if (image.length < SEGMENT_BYTES_MIN) {
    reportDamage(
      state, segment, `segment ${segment} was cut to ${image.length} bytes; a segment has its whole size before it has its name`,
    )
    return
  }
  const dataEnd = endOfData(image, 0)
  if (dataEnd === 0) state.blank.push(segment)
  else state.torn.push({ segment, dataEnd, reading: read() })
}

/** The newest segment is read first, since it knows which segments the log still needs, and replayed last. */
const loadTop = (state: State, image: Uint8Array | undefined): void => {
  if (image !== undefined) {
    state.topReading = readingOf(state, state.top, image)
    state.unproven = unprovenIn(state.topReading, image)
    for (const { header } of state.topReading.groups) state.firstSegment = Math.max(state.firstSegment, header.firstSegment)
  }
  const needed = [...state.heads.keys()].filter((segment) => segment >= state.firstSegment && segment < state.top)
  let wanted = state.firstSegment
  for (const segment of [...needed, state.top]) {
    if (wanted === segment - 1) reportDamage(state, wanted, `segment ${wanted} is missing`)
    else if (wanted < segment) reportDamage(state, segment - 1, `segments ${wanted} to ${segment - 1} are missing`)
    wanted = segment + 1
  }
  state.body = needed
}

/**
 * The last group, and what comes before it since its `synced`: with the header block where it opened the segment. Whole blocks at the
 * end, so that of a tail that was cut there, and whose zeros may not have reached the platter either, no beginning is left.
 */
const unprovenIn = ({ groups, end }: SegmentReading, image: Uint8Array): Rewrite => {
  const synced = groups.at(-1)?.header.synced
  const from = synced?.segment === end.segment ? synced.offset : 0
  return { kind: 'rewrite', segment: end.segment, from, bytes: image.slice(from, align(end.offset, BLOCK_BYTES)) }
}

const readingOf = (state: State, segment: number, image: Uint8Array): SegmentReading => {
  const header = state.headers.get(segment)
  const successor = [...state.headers.values()].find(({ previous }) => previous.segment === segment)
  return readSegment({ segment, image, chain: header?.checksum, salt: state.salt, limit: successor?.previous.offset })
}

const replay = (state: State, segment: number, reading: SegmentReading): void => {
  checkSegment(state, segment)
  for (const place of reading.damages) {
    reportDamage(state, segment, `segment ${segment}: what was synced at offset ${place.offset} does not read back`)
  }
  for (const group of reading.groups) {
    for (const { header, record, offset } of group.records) {
      const ledger = ledgerOf(state, header.group)
      if (record !== undefined) ledger.apply(record, segment)
      else {
        judgedIn(state, segment).add(offset)
        state.findings.push(`segment ${segment}: a ${header.kind} record of group ${header.group} (index ${header.index}) is damaged`)
        ledger.applyDamaged(header)
      }
    }
  }
  // Without a header there is no chain to go on from: what follows may have been written behind another end.
  state.lastChain = state.headers.has(segment) && reading.damages.length === 0 ? reading.chain : undefined
}

const judgedIn = ({ judged }: State, segment: number): Set<number> => {
  const offsets = judged.get(segment) ?? new Set()
  judged.set(segment, offsets)
  return offsets
}

const checkSegment = (state: State, segment: number): void => {
  const header = state.headers.get(segment)
  const size = state.heads.get(segment)?.sizeBytes ?? 0
  if (header === undefined) {
    if (segment < state.top) reportDamage(state, segment, `segment ${segment}: its header is damaged`)
    return
  }
  if (size < header.sizeBytes) {
    reportDamage(state, segment, `segment ${segment} was made with ${header.sizeBytes} bytes and has ${size}`)
  }
  if (state.lastChain !== undefined && segment > state.firstSegment && header.chain !== state.lastChain) {
    reportDamage(state, segment, `segment ${segment} does not follow the end of segment ${segment - 1}`)
  }
}

const ledgerOf = (state: State, group: GroupId): GroupLedger => {
  const ledger = state.ledgers.get(group) ?? createGroupLedger(group)
  state.ledgers.set(group, ledger)
  return ledger
}

const finish = (state: State): LogRecovery => {
  const { topReading } = state
  if (topReading !== undefined) {
    replay(state, state.top, topReading)
    if (topReading.dataEnd > topReading.end.offset) noteTornTail(state, topReading)
  }
  // What stays is read by the next start as well, which finds the log to go on behind it.
  const kept = [...state.loose, ...state.torn.filter(({ segment }) => segment <= state.damagedThrough)]
  for (const { segment, reading } of kept.sort((a, b) => a.segment - b.segment)) replay(state, segment, reading)
  noteTorn(state)
  const isDamaged = state.damagedNode !== undefined
  const groups = recoveredGroups(state)
  const base = { groups, tornBytes: isDamaged ? 0 : state.tornBytes, findings: state.findings }
  return {
    report: state.damagedNode === undefined ? base : {
      ...base, damagedNode: state.damagedNode, ...(state.unreadThrough > 0 ? { isUnread: true } : {}),
    },
    tail: tailOf(state),
    repairs: [
      ...(isDamaged ? rewriteOnDamage(state, groups) : [...rewrite(state), ...state.repairs]), ...drops(state),
      ...(isDamaged ? [] : removals(state)),
    ],
    usages: [...state.ledgers.values()].map((ledger) => ledger.usage()),
    segments: begunSegments(state), damagedThrough: state.damagedThrough, isNewer: state.isNewer,
    ends: new Map([...state.headers.values()].map(({ previous, chain }) => [previous.segment, { offset: previous.offset, chain }])),
    judged: state.judged,
  }
}

/**
 * What was torn when it was begun is zeroed, and its number used again. On a damaged log, too: left as it is, it would be a segment that
 * has lost its header as soon as the log has gone on behind it, and whatever had begun before it would be harmed for nothing. But what
 * stands at or below damage may be part of it, and stays.
 */
const droppedIn = ({ torn, damagedThrough }: State): readonly Torn[] => torn.filter(({ segment }) => segment > damagedThrough)

const drops = (state: State): Repair[] => droppedIn(state).map(({ segment, dataEnd }) => ({ kind: 'zero', segment, from: 0, to: dataEnd }))

const noteTorn = (state: State): void => {
  const dropped = new Set(droppedIn(state))
  for (const each of state.torn) {
    const { segment, dataEnd } = each
    if (dropped.has(each)) state.tornBytes += dataEnd
    state.findings.push(dropped.has(each)
      ? `segment ${segment}: begun and never synced; its ${dataEnd} bytes were never acknowledged and are dropped`
      : `segment ${segment}: nothing proves that it was ever synced; it stays as it is, since segment ${state.damagedThrough} is damaged`)
  }
}

const noteTornTail = (state: State, reading: SegmentReading): void => {
  const bytes = reading.dataEnd - reading.end.offset
  state.tornBytes += bytes
  state.findings.push(`segment ${state.top}: a torn group at offset ${reading.end.offset} was never acknowledged; ${bytes} bytes cut`)
  state.repairs.push({ kind: 'zero', segment: state.top, from: reading.end.offset, to: reading.dataEnd })
}

const recoveredGroups = (state: State): ReadonlyMap<GroupId, RecoveredGroup> => {
  const groups = new Map<GroupId, RecoveredGroup>()
  for (const [id, ledger] of state.ledgers) {
    const group = ledger.finish()
    const reason = group.quarantined ?? (ledger.beganIn() > state.damagedThrough ? undefined : state.damagedNode)
    groups.set(id, reason === undefined ? group : { ...group, quarantined: reason })
    if (group.quarantined !== undefined) state.findings.push(`group ${id} is quarantined: ${group.quarantined}`)
  }
  return groups
}

const rewrite = ({ unproven }: State): Repair[] => (unproven === undefined ? [] : [unproven])

/**
 * What a replica that is trusted on a damaged node says must be on the disk as everywhere else; and what any may say again at a start that
 * reads what this one can not, since the log goes on behind it and that proves it synced. It changes no byte.
 */
const rewriteOnDamage = (state: State, groups: ReadonlyMap<GroupId, RecoveredGroup>): Repair[] =>
  (state.unreadThrough > 0 || [...groups.values()].some(({ quarantined }) => quarantined === undefined) ? rewrite(state) : [])

const removals = (state: State): Repair[] =>
  [...state.heads.keys()].filter((segment) => segment < state.firstSegment).map((segment) => ({ kind: 'remove', segment }))

const begunSegments = (state: State): { readonly segment: number; readonly sizeBytes: number }[] =>
  [...state.heads.values()]
    .filter(({ segment }) => (segment >= state.firstSegment || state.damagedNode !== undefined) && segment <= state.top)
    .map(({ segment, sizeBytes }) => ({ segment, sizeBytes }))

/** Further than any segment reaches. */
const END_UNKNOWN = 0xffff_ffff

/**
 * The header of the next segment says where the log left the one before. Of one that could not be read nobody knows that: by any place
 * within it a later start that can read it would take what stands behind for nothing, or the next segment for one that does not follow.
 * By this one it misses something of that segment, for good.
 */
const endOf = ({ unreadThrough, top, topReading }: State): Position => {
  if (unreadThrough > 0 && unreadThrough >= top) return { segment: unreadThrough, offset: END_UNKNOWN }
  return topReading?.end ?? { segment: 0, offset: 0 }
}

const tailOf = (state: State): LogTail => {
  const unused = new Set([...state.blank, ...droppedIn(state).map(({ segment }) => segment)])
  const highest = Math.max(0, ...[...state.heads.keys()].filter((segment) => !unused.has(segment)))
  const isDamaged = state.damagedNode !== undefined
  const reading = state.topReading
  return {
    end: endOf(state), chain: reading?.chain ?? 0, salt: state.salt ?? 0,
    continues: reading !== undefined && !isDamaged, isSealed: reading?.isSealed ?? true,
    nextSegment: (isDamaged ? highest : state.top) + 1, firstSegment: Math.max(1, state.firstSegment),
    holdsReplicas: state.headers.get(state.top)?.holdsReplicas ?? false,
    level: state.headers.get(state.top)?.level ?? FIRST_LEVEL,
  }
}
