/**
 * Real processes on directories that are not what they were: a twin on a copy, an old copy put back, and a disk that is full
 * (docs/TESTING.md T14, T16). What clients saw is judged by the simulator's own checkers, as in chaos/, which has the storms.
 */

import { describe, expect, test } from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { must } from '../../actors/kernel/assert.ts'
import { EXIT_REFUSED } from '../../actors/node/protocol.ts'
import { shardOf } from '../../topology/hash.ts'
import { isServing, leadersOf } from '../../chaos/ground/cluster.ts'
import { copyDirectory } from '../../chaos/ground/copyDirectory.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import { startLoad } from '../../chaos/clients/load.ts'
import { requestOver } from '../../chaos/clients/requests.ts'
import { judge } from '../support/judge.ts'
import { kv, settledKv } from '../support/kv.ts'
import { mountSmallDisk } from '../../chaos/ground/smallDisk.ts'
import type { Bus } from '../../bus/port.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { NodeReport } from '../../topology/report.ts'
import type { TestCluster, TestClusterOptions } from '../../chaos/ground/cluster.ts'
import type { OpenCluster } from '../support/clusterOfTest.ts'
import type { Load } from '../../chaos/clients/load.ts'
import type { KvReply } from '../support/kv.ts'
import type { SmallDisk } from '../../chaos/ground/smallDisk.ts'

const SEED = Number(process.env.SHARDKV_SEED ?? 42)
const TEST_MS_MAX = 240_000
const MIB = 1_048_576

const cluster = clusterOfTest()
const open = (options: TestClusterOptions = {}): Promise<OpenCluster> => cluster.open({ shards: 4, ...options })

const startLoadOn = (bus: Bus): Load => startLoad({ through: [requestOver(bus)], clientsPerConnection: 8, seed: SEED, pauseMs: 8 })

const copyOf = (directory: string): string => {
  const copy = mkdtempSync(join(tmpdir(), 'shardkv-copy-'))
  cluster.onEnd(() => rmSync(copy, { recursive: true, force: true }))
  copyDirectory(directory, copy)
  return copy
}

const reportOf = (reports: readonly NodeReport[], node: NodeId): NodeReport | undefined => reports.find((report) => report.node.id === node)

const bootOf = async (running: TestCluster, node: NodeId): Promise<string | undefined> =>
  reportOf(await running.until(`${node} reports`, (reports) => reportOf(reports, node) !== undefined), node)?.node.bootId

/** Acknowledged writes go on: several in a row, to every shard. */
const expectWrites = async (bus: Bus, running: TestCluster, round: string): Promise<void> => {
  for (let i = 0; i < 32; i += 1) {
    expect(await settledKv(bus, `kv.put.probe-${i}`, round, { 'Kv-Request-Id': `${round}-${i}` })).toMatchObject({ status: 'OK' })
    expect(await settledKv(bus, `kv.get.probe-${i}`)).toMatchObject({ status: 'OK', value: round })
  }
  expect(new Set(Array.from({ length: 32 }, (_, i) => shardOf(`probe-${i}`, running.shardCount))).size).toBe(running.shardCount)
}

describe('two processes with one node id', () => {
  test('the second, on a copied directory, refuses to start, and the first goes on serving', async () => {
    const { running, bus } = await open()
    const node = must(running.members[0], 'a first node')
    const load = startLoadOn(bus)
    const boot = await bootOf(running, node)
    for (let i = 0; i < 2; i += 1) {
      const twin = await running.startTwin(node, copyOf(running.directory(node))).ended
      expect([twin.code, twin.out]).toEqual([EXIT_REFUSED, expect.stringContaining('already')])
    }
    const same = await running.startTwin(node, running.directory(node)).ended
    expect([same.code, same.out]).toEqual([EXIT_REFUSED, expect.stringContaining('refuses to start')])
    expect(running.exitCode(node)).toBeNull()
    expect(await bootOf(running, node)).toBe(boot)
    await expectWrites(bus, running, 'after')
    await load.stop()
    process.stdout.write(`chaos: twins refused, ${await judge(bus, load, running.shardCount)} operations checked\n`)
  }, TEST_MS_MAX)

  test('the younger stops when the older was merely silent while it started, and the older goes on', async () => {
    const { running, bus } = await open()
    const node = must(running.members[0], 'a first node')
    const load = startLoadOn(bus)
    const boot = await bootOf(running, node)
    const copy = copyOf(running.directory(node))
    running.signal(node, 'SIGSTOP')
    const twin = running.startTwin(node, copy)
    await running.until('the twin has started', (reports) => {
      const found = reportOf(reports, node)
      return found !== undefined && found.node.bootId !== boot && found.node.state === 'serving'
    })
    running.signal(node, 'SIGCONT')
    const ended = await twin.ended
    expect([ended.code, ended.out]).toEqual([EXIT_REFUSED, expect.stringContaining('an older process already runs')])
    expect(running.exitCode(node)).toBeNull()
    await running.until('the older is back', (reports) => {
      const found = reportOf(reports, node)
      return found?.node.bootId === boot && isServing(running)(reports)
    })
    await expectWrites(bus, running, 'after')
    await load.stop()
    process.stdout.write(`chaos: a twin of a paused node stopped, ${await judge(bus, load, running.shardCount)} operations checked\n`)
  }, TEST_MS_MAX)
})

test('a node that comes back with another prefix than its cluster ends with 78, and its shards are served by the others', async () => {
  const { running, bus } = await open()
  const node = must(running.members[0], 'a first node')
  await running.kill(node)
  const strayed = await running.cli('node', '--id', node, '--dir', running.directory(node), '--prefix', 'nope', '--http-port', '0').ended
  expect([strayed.code, strayed.out]).toEqual([EXIT_REFUSED, expect.stringContaining('Start it with --prefix kv.')])
  await expectWrites(bus, running, 'without')
  running.start(node)
  await running.until('it is back', isServing(running))
  await expectWrites(bus, running, 'with')
}, TEST_MS_MAX)

describe('an old copy of a data directory', () => {
  test('put back while the others run is fenced and replaced, however often it starts meanwhile, and loses nothing', async () => {
    const { running, bus } = await open()
    const leaders = leadersOf(await running.reports())
    // A follower of most shards: its promises were heard by the leaders that go on.
    const node = must(running.members.toSorted((a, b) => countOf(leaders, a) - countOf(leaders, b))[0], 'a node')
    const others = running.members.filter((member) => member !== node)
    const load = startLoadOn(bus)
    await expectWrites(bus, running, 'before')
    await running.kill(node)
    const old = copyOf(running.directory(node))
    running.start(node)
    await running.until('every shard is served', isServing(running))
    await expectWrites(bus, running, 'since')
    await running.until('the node has what was acknowledged', hasCaughtUp(node))
    await running.kill(node)
    rmSync(running.directory(node), { recursive: true })
    copyDirectory(old, running.directory(node))
    for (let restart = 0; restart < 4; restart += 1) {
      running.start(node)
      // One that is fenced may be replaced before anybody has looked.
      await running.until('a replica is fenced, or replaced', (found) =>
        (reportOf(found, node)?.replicas ?? []).some((replica) => isFenced(replica) || isReplaced(replica)))
      await running.until('the others serve every shard', isServing(running, others))
      await expectWrites(bus, running, `restart-${restart}`)
      if (restart < 3) await running.kill(node)
    }
    const whole = await running.until('whatever was fenced is replaced', (reports) => {
      const own = reportOf(reports, node)?.replicas ?? []
      return own.length === running.shardCount && own.some(isReplaced) && !own.some(isFenced)
    })
    await running.until('every shard is served', isServing(running))
    await load.stop()
    const replaced = (reportOf(whole, node)?.replicas ?? []).filter(isReplaced).length
    process.stdout.write(`chaos: an old copy put back and restarted, ${replaced} of ${running.shardCount} replicas replaced; `
      + `${await judge(bus, load, running.shardCount)} operations checked\n`)
  }, TEST_MS_MAX)
})

const countOf = (leaders: ReadonlyMap<number, NodeId>, node: NodeId): number =>
  [...leaders.values()].filter((leader) => leader === node).length
const isLedBy = ({ shardCount }: TestCluster, nodes: readonly NodeId[]) => (reports: readonly NodeReport[]): boolean => {
  const leaders = [...leadersOf(reports).values()]
  return leaders.length === shardCount && leaders.every((leader) => nodes.includes(leader))
}
const isFenced = ({ quarantined }: NodeReport['replicas'][number]): boolean => quarantined !== undefined
const isReplaced = ({ generation = 1 }: NodeReport['replicas'][number]): boolean => generation > 1

const hasCaughtUp = (node: NodeId) => (reports: readonly NodeReport[]): boolean => {
  const own = reportOf(reports, node)
  return own !== undefined && own.replicas.every(({ shard, appliedIndex }) => {
    const most = Math.max(...reports.flatMap(({ replicas }) => replicas.filter((replica) => replica.shard === shard)
      .map((replica) => replica.commitIndex)))
    return appliedIndex >= most - 50
  })
}

describe('a small disk', () => {
  const DISK_BYTES = 96 * MIB
  const LEFT_BYTES = MIB

  const openOnSmallDisk = async (nodes: number): Promise<{ running: TestCluster; bus: Bus; node: NodeId; disk: SmallDisk }> => {
    const disks: SmallDisk[] = []
    const { running, bus } = await open({
      nodes,
      prepareDirectory: (member, directory) => { if (member === 'n1') disks.push(mountSmallDisk(directory, DISK_BYTES)) },
    }).catch((error: unknown) => {
      // A directory with a mount in it can not be removed.
      for (const disk of disks) disk.unmount()
      throw error
    })
    const disk = must(disks[0], 'a disk is mounted')
    const node = must(running.members[0], 'the node n1')
    cluster.onEnd(async () => {
      await running.kill(node)
      disk.unmount()
    })
    return { running, bus, node, disk }
  }
  const isFull = (node: NodeId) => (reports: readonly NodeReport[]): boolean => reportOf(reports, node)?.node.diskFull === true
  const hasRoom = (node: NodeId) => (reports: readonly NodeReport[]): boolean => reportOf(reports, node)?.node.diskFull === false
  const expectReads = async (bus: Bus, value: string): Promise<void> => {
    for (let i = 0; i < 32; i += 1) expect(await settledKv(bus, `kv.get.probe-${i}`)).toMatchObject({ status: 'OK', value })
  }

  test('that is full refuses writes with NO_SPACE, serves reads, starts again, and recovers when there is room', async () => {
    const { running, bus, node, disk } = await openOnSmallDisk(1)
    await expectWrites(bus, running, 'before')
    disk.fill(LEFT_BYTES)
    expect(await overwriteUntil(bus, ({ status }) => status === 'NO_SPACE')).toMatchObject({ status: 'NO_SPACE' })
    await running.until('the node says that its disk is full', isFull(node))
    await expectReads(bus, 'before')
    for (let restart = 0; restart < 2; restart += 1) {
      await running.kill(node)
      running.start(node)
      await running.until('every shard is served while the disk is full', isServing(running))
      await expectReads(bus, 'before')
    }
    disk.free()
    await running.until('the node has noticed that there is room', hasRoom(node))
    await expectWrites(bus, running, 'room')
    expect(running.exitCode(node)).toBeNull()
  }, TEST_MS_MAX)

  test('of one node in three takes its leaderships away, so that all writes go on, and gives them back when there is room', async () => {
    const { running, bus, node, disk } = await openOnSmallDisk(3)
    await expectWrites(bus, running, 'before')
    await running.until('the node leads what it should', (reports) => countOf(leadersOf(reports), node) > 0)
    disk.fill(LEFT_BYTES)
    let isNoticed = false
    const watching = running.until('the node says that its disk is full', isFull(node), TEST_MS_MAX / 2).then(() => { isNoticed = true })
    await overwriteUntil(bus, () => isNoticed)
    await watching
    const others = running.members.filter((member) => member !== node)
    await running.until('the others lead every shard', isLedBy(running, others))
    await expectWrites(bus, running, 'full')
    await expectReads(bus, 'full')
    await running.kill(node)
    await running.until('the others serve every shard', isServing(running, others))
    await expectWrites(bus, running, 'without')
    running.start(node)
    await running.until('every shard is served while one disk is full', isServing(running))
    await expectReads(bus, 'without')
    disk.free()
    await running.until('the node has noticed that there is room', hasRoom(node))
    await expectWrites(bus, running, 'room')
    await running.until('the node has what was acknowledged', hasCaughtUp(node))
    await running.until('the node leads again', (reports) => countOf(leadersOf(reports), node) > 0, TEST_MS_MAX / 4)
    expect(running.exitCode(node)).toBeNull()
  }, TEST_MS_MAX)
})

const LARGE = new Uint8Array(256 * 1_024)
const OVERWRITE_MS_MAX = 120_000

/** Overwrites a few large keys until `isEnough` says so of an answer; the last answer. */
const overwriteUntil = async (bus: Bus, isEnough: (reply: KvReply) => boolean): Promise<KvReply> => {
  const giveUpAt = performance.now() + OVERWRITE_MS_MAX
  for (let i = 0; ; i += 1) {
    const reply = await kv(bus, `kv.put.large-${i % 16}`, LARGE)
    if (isEnough(reply) || performance.now() > giveUpAt) return reply
    if (reply.status !== 'OK') await pause(25)
  }
}
