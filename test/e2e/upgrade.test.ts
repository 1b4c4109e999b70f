/**
 * Nodes restart one after the other, as the same version and as the next one, under callers of the SDK: nobody is refused, and nothing
 * is lost. The next version (test/layouts) lays out log, snapshots and envelopes differently; until every node knows it, nobody does.
 */

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { EXIT_REFUSED } from '../../actors/node/protocol.ts'
import { must } from '../../actors/kernel/assert.ts'
import { startLoad } from '../../chaos/clients/load.ts'
import { sdkOver } from '../../chaos/clients/sdk.ts'
import { CLUSTER, isServing } from '../../chaos/ground/cluster.ts'
import { readNextLayouts } from '../../chaos/ground/nextBuild.ts'
import { restartGently } from '../../chaos/nemeses/rollingRestart.ts'
import { connect, text } from '../../sdk/index.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import { judge } from '../support/judge.ts'
import type { Load } from '../../chaos/clients/load.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'
import type { Bus } from '../../bus/port.ts'
import type { Kv } from '../../sdk/index.ts'
import type { NodeId } from '../../topology/ids.ts'

const SEED = Number(process.env.SHARDKV_SEED ?? 42)
const WITHIN_MS = 120_000

const cluster = clusterOfTest()
const next = readNextLayouts()

interface UnderLoad {
  readonly running: TestCluster
  readonly bus: Bus
  readonly kv: Kv<string>
  readonly load: Load
  readonly rejections: string[]
}

const openUnderLoad = async (): Promise<UnderLoad> => {
  const { running, bus } = await cluster.open({ nodes: 3, shards: 8, hasNext: true })
  const rejections: string[] = []
  const kv = await connect({ servers: running.url, codec: text })
  cluster.onEnd(() => kv.close())
  const load = startLoad({ through: [sdkOver(kv, rejections)], clientsPerConnection: 16, seed: SEED, pauseMs: 10 })
  return { running, bus, kv, load, rejections }
}

const settle = async ({ running, load, bus, rejections }: UnderLoad, what: string): Promise<void> => {
  await load.stop()
  process.stdout.write(`e2e: ${what}, ${await judge(bus, load, running.shardCount)} operations checked, ${rejections.length} rejected\n`)
  expect(rejections).toEqual([])
}

/** The versions of what goes from node to node, by sender. */
const listen = (bus: Bus): Map<string, Set<number>> => {
  const versions = new Map<string, Set<number>>()
  bus.subscribe(`skv.${CLUSTER}.node.*.*`, ({ subject, data }) => {
    const from = must(subject.split('.').at(-1), 'a subject has an end')
    versions.set(from, (versions.get(from) ?? new Set()).add(data[0] ?? 0))
  })
  return versions
}

const filesOf = (running: TestCluster, node: NodeId, ending: string): readonly Buffer[] =>
  readdirSync(running.directory(node), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(ending))
    .flatMap((name) => readIfThere(join(running.directory(node), name)))

/** What was there may have been removed since: an older snapshot goes when a newer one is complete. */
const readIfThere = (path: string): readonly Buffer[] => {
  try {
    return [readFileSync(path)]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return []
  }
}

/** What the files of this kind say of their version; those that are only prepared say 0. */
const versionsOn = (running: TestCluster, node: NodeId, ending: '.wal' | '.snap'): readonly number[] =>
  [...new Set(filesOf(running, node, ending).map((file) => file.readUInt32LE(8)))].filter((version) => version > 0).toSorted()

const levelsAre = (level: number) => (reports: readonly { readonly level?: number }[]): boolean =>
  reports.length === 3 && reports.every((report) => report.level === level)

/** Enough of one key for each of its replicas to write a snapshot. */
const provokeSnapshots = async ({ kv }: UnderLoad): Promise<void> => {
  for (let i = 0; i < 28; i += 1) await kv.put('big', String(i).padEnd(200_000, '.'))
}

describe('a rolling upgrade', () => {
  test('writes the next layouts when the last node knows them and no sooner, and is noticed by no caller of the SDK', async () => {
    const world = await openUnderLoad()
    const { running, bus, kv } = world
    const heard = listen(bus)
    const [first, second, last] = running.members as [NodeId, NodeId, NodeId]
    for (const node of [first, second]) {
      running.runAs(node, 'next')
      await restartGently(running, node)
    }
    await provokeSnapshots(world)
    await running.until('both have written a snapshot', () =>
      [first, second].every((node) => versionsOn(running, node, '.snap').length > 0), WITHIN_MS)
    for (const node of [first, second]) {
      expect([node, versionsOn(running, node, '.wal'), versionsOn(running, node, '.snap')]).toEqual([node, [2], [1]])
    }
    expect([...heard.values()].map((versions) => [...versions])).toEqual([[1], [1], [1]])

    running.runAs(last, 'next')
    await restartGently(running, last)
    await running.until('the level is raised', levelsAre(next.level), WITHIN_MS)
    heard.clear()
    await provokeSnapshots(world)
    await running.until('everybody speaks the next layout', () => heard.size === 3
      && [...heard.values()].every((versions) => versions.has(next.envelopeVersion)), WITHIN_MS)
    await running.until('everybody has written the next layouts', () => running.members.every((node) =>
      versionsOn(running, node, '.wal').includes(next.segmentVersion)
      && versionsOn(running, node, '.snap').includes(next.snapshotVersion)), WITHIN_MS)
    for (const node of running.members) {
      expect([node, versionsOn(running, node, '.wal'), versionsOn(running, node, '.snap')])
        .toEqual([node, [2, next.segmentVersion], expect.arrayContaining([next.snapshotVersion])])
    }

    await kv.put('after', 'the raise')
    for (const node of running.members) await restartGently(running, node)
    expect((await kv.get('after'))?.value).toBe('the raise')
    await running.until('it is still raised', levelsAre(next.level), WITHIN_MS)

    await expectRefused(world, last)
    await settle(world, 'every node upgraded')
  }, 420_000)
})

/** Today's build, on the directory of a node of the next one: it says what to do, and leaves everything as it is. */
const expectRefused = async ({ running }: UnderLoad, node: NodeId): Promise<void> => {
  running.signal(node, 'SIGTERM')
  expect(await running.ended(node, WITHIN_MS)).toBe(0)
  const { code, out } = await running.startTwin(node, running.directory(node)).ended
  expect(code).toBe(EXIT_REFUSED)
  expect(out).toMatch(/at layout level 2, and this version of ShardKV knows level 1 only: start this node with the version that the other/)
  running.start(node)
  await running.until('it is back', isServing(running), WITHIN_MS)
}
