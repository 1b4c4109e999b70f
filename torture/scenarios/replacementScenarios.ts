/**
 * What a disk has damaged is replaced on it, as topology/replicaHost.ts does it (docs/adr/0009-replacement.md): the log begins with
 * one group's damage or the whole node's; each replica that was harmed is retired, its files go, another is adopted and fed by a
 * peer, and the log is told that the damage is replaced. Wherever that ends, the next start finds what was acknowledged, trusts
 * nothing that was harmed, and gets to the end from there.
 */

import { createRandom } from '../../actors/kernel/random.ts'
import { chooseSnapshot } from '../../storage/snapshotChoice.ts'
import { BLOCK_BYTES, segmentName } from '../../storage/segment.ts'
import { emptyState, matchingPrefix } from '../model.ts'
import { createRig, entriesOf, entryOf, vote } from '../rig.ts'
import { counting, noFault } from '../scenario.ts'
import { secondLog } from './logScenario.ts'
import { createSnapshotRig, fillOf, headerOf } from '../snapshotRig.ts'
import { changed, segmentsOf, withFile } from '../specimen.ts'
import type { RecoveredGroup } from '../../actors/wal/protocol.ts'
import type { SnapshotChoice } from '../../storage/snapshotChoice.ts'
import type { DiskCall, DiskFault, DiskImage } from '../../storage/memoryFileSystem.ts'
import type { GroupModel, ModelState } from '../model.ts'
import type { Rig } from '../rig.ts'
import type { FaultAt, Played, Scenario, Trouble } from '../scenario.ts'
import type { SnapshotRig } from '../snapshotRig.ts'

/** The group that has snapshot files, too. */
const { group: GROUP, term: TERM } = headerOf(1)
const OTHER_GROUPS = [1, 2]
const OLD_SNAPSHOT = 4
const PEER_SNAPSHOT = 40
const LAST_INDEX = PEER_SNAPSHOT + 3
/** Generations begin above those that were here when the damage was found. */
const NEW_GENERATION = 7
const BYTES = 300
const PIECE_BYTES = 500
/** An entry that is easily found on the disk. */
const MARKED = 0xd3
const ANSWER_MS_MAX = 3_000
/** What makes the log go on. */
const FILLER = 9

interface Damage {
  readonly name: string
  readonly harmed: readonly number[]
  readonly harm: (image: DiskImage) => DiskImage
  /** What the disk can not do, in any life that ends in a verdict. */
  readonly fault?: (call: DiskCall) => DiskFault | undefined
}

const OLDEST = `wal/${segmentName(1)}`

const damages: readonly Damage[] = [
  { name: 'replacement of a replica', harmed: [GROUP], harm: (image) => {
    const payload = Buffer.alloc(BYTES, MARKED)
    const file = segmentsOf(image).find(({ bytes }) => Buffer.from(bytes).includes(payload))
    if (file === undefined) throw new Error('the marked entry is in no segment')
    const at = Buffer.from(file.bytes).indexOf(payload)
    return withFile(image, file.path, changed(file.bytes, (copy) => { copy[at] = 0 }))
  } },
  { name: 'replacement of all replicas', harmed: [...OTHER_GROUPS, GROUP], harm: (image) => {
    const zeroed = changed(image.files.get(OLDEST) ?? new Uint8Array(0), (copy) => copy.fill(0, BLOCK_BYTES, BLOCK_BYTES + 80))
    return withFile(image, OLDEST, zeroed)
  } },
  { name: 'replacement of all replicas, whose log can not be read', harmed: [...OTHER_GROUPS, GROUP], harm: (image) => image,
    fault: ({ operation, path }) => (operation === 'read' && path === OLDEST ? { kind: 'error', code: 'EIO' } : undefined) },
]

/** A node of three groups at rest. */
const healthy = (): Rig => {
  const rig = createRig().open()
  for (const group of OTHER_GROUPS) {
    rig.append(group, { hardState: { term: 1, vote: vote('a') }, entries: entriesOf(1, 3) })
    rig.clock.advance(2)
  }
  rig.append(GROUP, { hardState: { term: TERM, vote: vote('b') }, entries: entriesOf(1, 5, { term: TERM }) })
  rig.clock.advance(2)
  createSnapshotRig({ on: rig }).write(OLD_SNAPSHOT, fillOf(OLD_SNAPSHOT, BYTES))
  rig.compact(GROUP, { index: OLD_SNAPSHOT, term: TERM })
  rig.append(GROUP, { entries: [entryOf(6, { term: TERM, bytes: BYTES, fill: MARKED })] })
  rig.clock.advance(2)
  rig.append(1, { entries: entriesOf(4, 6) })
  rig.clock.advance(300)
  return rig
}

interface Start {
  readonly image: DiskImage
  /** What the first start after the damage finds. */
  readonly found: ReadonlyMap<number, RecoveredGroup>
  /** It trusts no group of the node, be it known to the log or not. */
  readonly isNodeDamaged: boolean
}

const starts = new Map<Damage, Start>()
const startOf = (damage: Damage): Start => {
  const known = starts.get(damage)
  if (known !== undefined) return known
  const image = damage.harm(healthy().disk.image())
  const report = createRig({ image, fault: (call) => damage.fault?.(call) }).open().report()
  const start = { image, found: report?.groups ?? new Map<number, RecoveredGroup>(), isNodeDamaged: report?.damagedNode !== undefined }
  starts.set(damage, start)
  return start
}

const stateOf = ({ snapshot, ...group }: RecoveredGroup): ModelState => ({ ...group, mark: snapshot })
const modelsOf = ({ found }: Start): Map<number, GroupModel> =>
  new Map([...found].map(([id, group]) => [id, { base: stateOf(group), steps: [], acknowledged: 0, tickets: new Map() }]))

interface Life { readonly damage: Damage; readonly rig: Rig; readonly snapshots: SnapshotRig; readonly generation: number }

const isAnswered = ({ rig }: Life, ticket: number): boolean => rig.clock.runUntil(() => rig.isAcknowledged(ticket), ANSWER_MS_MAX)
const areCleared = ({ snapshots }: Life, group: number): boolean =>
  snapshots.ask((done) => snapshots.store.clear(group, (error) => done(error, null)))?.error === null

/** False where the log or the disk answers no more: the process is over. */
const isReplaced = (life: Life, group: number): boolean => {
  const { rig, generation } = life
  const found = rig.report()?.groups.get(group)
  const replica = found?.replica ?? { generation: 1, isRemoved: false }
  // A new one that began among what was damaged since is harmed like the one before it.
  const isNew = replica.generation >= NEW_GENERATION && !replica.isRemoved && found?.quarantined === undefined
  if (!isNew) {
    if (!replica.isRemoved && !isAnswered(life, rig.retire(group, replica.generation))) return false
    if (!areCleared(life, group) || !isAnswered(life, rig.adopt(group, generation)) || !areCleared(life, group)) return false
  }
  const last = isNew ? lastOf(found) : 0
  if (group === GROUP && !(isNew && found?.snapshot.index === PEER_SNAPSHOT)) return isFed(life)
  return last >= LAST_INDEX || isAnswered(life, rig.append(group, {
    hardState: { term: TERM, vote: vote('c') }, entries: entriesOf(last + 1, LAST_INDEX, { term: TERM, bytes: 200 }),
  }))
}

const fromPeer = (): Uint8Array => {
  const peer = createSnapshotRig()
  peer.write(PEER_SNAPSHOT, fillOf(PEER_SNAPSHOT, BYTES))
  return peer.disk.image().files.get(peer.pathOf(PEER_SNAPSHOT)) ?? new Uint8Array(0)
}

/** A snapshot in pieces, its record, and what the peer has since. */
const isFed = (life: Life): boolean => {
  const { rig, snapshots: { ask, store } } = life
  const bytes = fromPeer()
  for (let offset = 0; offset < bytes.length; offset += PIECE_BYTES) {
    ask<number>((done) => store.receive(GROUP, PEER_SNAPSHOT, TERM, offset, bytes.slice(offset, offset + PIECE_BYTES), done))
  }
  if (ask((done) => store.finishReceive(GROUP, PEER_SNAPSHOT, TERM, bytes.length, done))?.error !== null) return false
  rig.install(GROUP, { index: PEER_SNAPSHOT, term: TERM })
  return isAnswered(life, rig.append(GROUP, {
    hardState: { term: TERM, vote: vote('c') }, entries: entriesOf(PEER_SNAPSHOT + 1, LAST_INDEX, { term: TERM, bytes: 200 }),
  }))
}

/** From whatever the log holds now to a node whose replicas are all new and well. */
const isAllReplaced = (life: Life): boolean => {
  const { damage: { harmed }, rig } = life
  const report = rig.report()
  if (report === undefined) return false
  const quarantined = [...report.groups.values()].filter((group) => group.quarantined !== undefined).map(({ group }) => group)
  // Those that a damaged log does not know as well.
  const groups = new Set([...harmed, ...report.damagedNode === undefined ? [] : [...OTHER_GROUPS, GROUP], ...quarantined])
  if (![...groups].every((group) => isReplaced(life, group))) return false
  rig.wal.send({ type: 'wal.damageReplaced' })
  return isRolled(life, groups.has(FILLER) ? LAST_INDEX : lastOf(report.groups.get(FILLER)))
}

const lastOf = (group: RecoveredGroup | undefined): number => (group === undefined ? 0 : group.snapshot.index + group.entries.length)

/** The log goes on long enough that its oldest segments may go. */
const isRolled = (life: Life, last: number): boolean => {
  const { rig } = life
  for (let index = last + 1; index <= last + 40; index += 4) {
    if (!isAnswered(life, rig.append(FILLER, { entries: entriesOf(index, index + 3, { term: TERM, bytes: 900 }) }))) return false
    rig.compact(FILLER, { index, term: TERM })
    rig.clock.advance(20)
  }
  return true
}

interface LifeOptions {
  readonly damage: Damage
  readonly image: DiskImage
  readonly number: number
  readonly models?: Map<number, GroupModel>
}

/** A damaged log may have lost the newest adoption, so every life brings new generations (adr 9). */
const begin = ({ damage, image, number, models }: LifeOptions, faultAt: FaultAt = noFault): Life & { readonly calls: () => number } => {
  const { fault, calls } = counting((call, what) => faultAt(call, what) ?? damage.fault?.(what))
  const rig = createRig({ image, fault, ...(models === undefined ? {} : { models }) }).open()
  return { damage, rig, snapshots: createSnapshotRig({ on: rig }), generation: NEW_GENERATION + number, calls }
}

const judge = ({ damage, rig: { models } }: Life, image: DiskImage): string | undefined => {
  const { found, isNodeDamaged } = startOf(damage)
  const isSeen = (group: number): boolean => (found.has(group) ? found.get(group)?.quarantined !== undefined : isNodeDamaged)
  const unseen = damage.harmed.find((group) => !isSeen(group))
  if (unseen !== undefined) return `the damage of group ${unseen} is not seen`
  const again = begin({ damage, image, number: 1 })
  const report = again.rig.report()
  const groups = report?.groups
  if (groups === undefined || again.rig.wal.state() !== 'open') return `the restart is ${again.rig.wal.state()}`
  for (const [group, model] of models) {
    const { hardState, mark, entries } = emptyState
    const recovered = groups.get(group) ?? { group, hardState, snapshot: mark, entries }
    // Nobody trusts one that a damaged log does not know.
    const isUnknown = !groups.has(group) && report?.damagedNode !== undefined
    if (!isUnknown && isOldAndTrusted(damage, recovered)) return `group ${group}: a damaged replica is trusted again`
    if (matchingPrefix(model, recovered) === undefined) return `group ${group} is no prefix that covers what was acknowledged`
  }
  return endingProblem(again)
}

/** One more life is enough, whatever the one before it has left: nothing that is new and well is replaced again. */
const endingProblem = (life: Life): string | undefined => {
  if (!isAllReplaced(life)) return 'the replacement does not come to its end after the restart'
  return endProblem(begin({ damage: life.damage, image: life.rig.disk.crash({ random: createRandom(1), keep: 0 }), number: 2 }))
}

const isOldAndTrusted = ({ harmed }: Damage, { group, quarantined, replica }: RecoveredGroup): boolean =>
  harmed.includes(group) && quarantined === undefined && (replica?.generation ?? 1) < NEW_GENERATION && replica?.isRemoved !== true

/** Nothing is left of the damage, and every replica has all that its peers gave it. */
const endProblem = ({ damage, rig, snapshots }: Life): string | undefined => {
  const report = rig.report()
  if (report === undefined || report.damagedNode !== undefined) return `still damaged at the end: ${String(report?.damagedNode)}`
  for (const group of damage.harmed) {
    const found = report.groups.get(group)
    const last = found?.entries.at(-1)?.index
    const isWell = found?.quarantined === undefined && last === LAST_INDEX
    if (!isWell) return `group ${group} ends with ${String(last)}, ${String(found?.quarantined)}`
  }
  const recovered = report.groups.get(GROUP)
  if (recovered === undefined) return 'the group is gone'
  const snapshot = snapshots.ask<SnapshotChoice>((done) => chooseSnapshot(snapshots.store, recovered, done))?.result.snapshot
  if (snapshot?.index !== PEER_SNAPSHOT) return `the new replica starts from snapshot ${String(snapshot?.index)}`
  const { chunks } = snapshots.load(snapshot)
  if (!Buffer.concat(chunks).equals(Buffer.concat(fillOf(PEER_SNAPSHOT, BYTES)))) return 'INVENTED: the snapshot loads as something else'
  if (snapshots.prune(1) !== null) return 'prune fails at the end'
  const files = [...rig.disk.image().files.keys()].filter((path) => path.startsWith('snapshots/'))
  return files.join() === snapshots.pathOf(PEER_SNAPSHOT) ? undefined : `${files.join(' ')} are left`
}

const behaved = (life: Life, trouble: Trouble, hit: DiskCall): string | undefined => {
  life.rig.clock.advance(1_000)
  if (life.rig.failure() !== undefined) return `${trouble} at ${hit.operation} throws: ${String(life.rig.failure())}`
  return judge(life, life.rig.disk.crash({ random: createRandom(3), keep: 1 }))
}

const replacementScenario = (damage: Damage): Scenario => ({
  name: damage.name,
  play: (faultAt) => {
    const start = startOf(damage)
    const life = begin({ damage, image: start.image, number: 0, models: modelsOf(start) }, faultAt)
    isAllReplaced(life)
    const played: Played = {
      calls: life.calls(), disk: life.rig.disk,
      judge: (image) => judge(life, image),
      liveOn: (cache, speaks) => {
        const second = secondLog(cache, speaks)
        return { disk: second.disk, judge: (image) => second.judge(image) ?? judge(life, image) }
      },
      restart: (image, again) => {
        const { rig, snapshots } = begin({ damage, image, number: 1 }, again)
        snapshots.list()
        return rig.disk
      },
      behaved: (trouble, hit) => behaved(life, trouble, hit),
    }
    return played
  },
})

export const replacementScenarios: readonly Scenario[] = damages.map(replacementScenario)
