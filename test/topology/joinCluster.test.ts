/** What keeps a new directory from a cluster: what a later start may find otherwise, and what stays as it is. */

import { expect, test } from '@jest/globals'
import { adoptGenesis } from '../../actors/topology/clusterState.ts'
import { encodeState } from '../../actors/topology/codec.ts'
import { must } from '../../actors/kernel/assert.ts'
import { decodeControl, encodeControl } from '../../bus/codec/control.ts'
import { readGenesis } from '../../storage/genesis.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { createGenesis } from '../../topology/clusterMap.ts'
import { joinCluster } from '../../topology/joinCluster.ts'
import { createNamed } from '../../topology/namedReplicas.ts'
import { clusterId, nodeId } from '../../topology/ids.ts'
import type { Genesis } from '../../actors/wal/protocol.ts'
import type { GenesisResult } from '../../storage/genesis.ts'
import type { Bus } from '../../bus/port.ts'
import type { FileSystem } from '../../storage/fileSystem.ts'
import type { NodeReport } from '../../topology/report.ts'

const cluster = clusterId('0123456789abcdef')
const genesis = must(createGenesis({
  cluster, members: ['n1', 'n2', 'n3'].map(nodeId), shardCount: 2, replicationFactor: 3, createdAtMs: 1,
})[0], 'a genesis')
const report = (id: string, of: string = cluster): NodeReport => ({ cluster: of, epoch: 1, node: { id } } as unknown as NodeReport)

/** Of n1, which is asked; null: it says nothing. */
type Answer = (kind: string) => object | null
const told: Answer = (kind) => (kind === 'genesis' ? { ...genesis } : { state: encodeState(adoptGenesis(genesis)) })
const full = { makeDirectory: (_path: string, done: (error: Error) => void) => done(new Error('no space left')) }

const join = (id: string, reports: readonly NodeReport[], answer: Answer = told, fileSystem = full as unknown as FileSystem) => {
  const request: Bus['request'] = (_subject, data, _options, done) => {
    const value = answer((decodeControl(data) as { kind: string }).kind)
    if (value === null) done('timeout', null)
    else done(null, { subject: '', reply: '', data: encodeControl(value) })
  }
  return joinCluster({ bus: { request } as Bus, fileSystem, reports, prefix: 'kv', id })
}

test('a join that comes before its cluster, or before that has its say, may be tried again', async () => {
  expect(await join('n4', [])).toEqual({ mayPass: true, problem: expect.stringContaining('nobody answers on kv.status') })
  expect(await join('n4', [report('n1')], () => null)).toEqual({ mayPass: true, problem: expect.stringContaining('it starts or is busy') })
  expect(await join('n4', [report('n1')])).toEqual({ mayPass: true, problem: expect.stringContaining('no space left') })
})

test('a join that would be refused for ever is not to be tried again', async () => {
  const other = report('n9', 'fedcba9876543210')
  expect(await join('n4', [report('n1'), other])).toEqual({ mayPass: false, problem: expect.stringContaining('two clusters') })
  expect(await join('n2', [report('n1')])).toEqual({ mayPass: false, problem: expect.stringContaining('this directory is not its own') })
  const later: Answer = (kind) => (kind === 'genesis' ? { ...genesis } : { state: encodeState({ ...adoptGenesis(genesis), level: 99 }) })
  expect(await join('n4', [report('n1')], later)).toMatchObject({ mayPass: false })
})

test('what joins says in its genesis that nothing of the first replicas was ever here, though the name is one of theirs', async () => {
  const state = { ...adoptGenesis(genesis), epoch: 2 }
  const left = { ...state, nodes: state.nodes.map((node) => (node.id === 'n2' ? { ...node, state: 'left' as const } : node)) }
  const disk = createMemoryFileSystem({ schedule: (fn) => { setImmediate(fn) } })
  const without: Answer = (kind) => (kind === 'genesis' ? { ...genesis } : { state: encodeState(left) })
  const wanted = { ...genesis, node: 'n2', hasJoined: true }
  expect(await join('n2', [report('n1')], without, disk)).toEqual({ genesis: wanted })
  const found = await new Promise<GenesisResult>((resolve) => { readGenesis(disk, resolve) })
  expect(found).toEqual({ kind: 'found', genesis: wanted })
  const namedOn = (by: Genesis): number => createNamed(by)(adoptGenesis(genesis)).length
  expect([namedOn({ ...genesis, node: nodeId('n2') }), namedOn({ ...genesis, node: nodeId('n2'), hasJoined: true })]).toEqual([3, 0])
})

test('a new directory says that it joined, whatever comes of its map: no replica of the genesis was ever in it', async () => {
  const disk = createMemoryFileSystem({
    schedule: (fn) => { setImmediate(fn) },
    fault: ({ path }) => (path.startsWith('map.bin') ? { kind: 'error', code: 'EIO' } : undefined),
  })
  expect(await join('n4', [report('n1')], told, disk)).toMatchObject({ mayPass: true })
  const found = await new Promise((resolve) => { readGenesis(disk, resolve) })
  expect(found).toEqual({ kind: 'found', genesis: { ...genesis, node: 'n4', hasJoined: true } })
})
