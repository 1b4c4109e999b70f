/** What a node's replicas are told of it, and who of them is told. */

import { describe, expect, test } from '@jest/globals'
import { shardId } from '../../topology/ids.ts'
import { createConditions } from '../../topology/conditions.ts'
import type { Conditions } from '../../topology/conditions.ts'
import type { HostedMeta } from '../../topology/hostedMeta.ts'
import type { HostedReplica } from '../../topology/hostedReplica.ts'

interface Told {
  readonly type: string
  readonly [field: string]: unknown
}

const createRig = () => {
  const told: string[] = []
  const hear = (who: string) => ({ send: ({ type, ...fields }: Told) => told.push(`${who} ${type} ${String(Object.values(fields)[0])}`) })
  const shard = (number: number): HostedReplica =>
    ({ shard: shardId(number), raft: hear(`raft ${number}`), actor: hear(`shard ${number}`) }) as unknown as HostedReplica
  const meta = { raft: hear('raft meta'), actor: hear('topology') } as unknown as HostedMeta
  const members: (HostedReplica | HostedMeta)[] = [shard(0), meta]
  const conditions = createConditions(() => members)
  const said = (change: (conditions: Conditions) => void): readonly string[] => {
    told.length = 0
    change(conditions)
    return [...told]
  }
  return { said, late: shard(1), meta }
}

describe('that a node is short of memory', () => {
  test('is told to its shards, once, and not to the meta group', () => {
    const { said } = createRig()
    expect(said(({ noteMemory }) => noteMemory('heap'))).toEqual(['shard 0 memory.spaceChanged heap'])
    expect(said(({ noteMemory }) => noteMemory('heap'))).toEqual([])
    expect(said(({ noteMemory }) => noteMemory('process'))).toEqual(['shard 0 memory.spaceChanged process'])
    expect(said(({ noteMemory }) => noteMemory(null))).toEqual(['shard 0 memory.spaceChanged null'])
  })

  test('is told to a shard that opens meanwhile, and to no meta group that does', () => {
    const { said, late, meta } = createRig()
    said(({ noteMemory }) => noteMemory('heap'))
    expect(said(({ tell }) => tell(late))).toEqual(['shard 1 memory.spaceChanged heap'])
    expect(said(({ tell }) => tell(meta))).toEqual([])
    said(({ noteMemory }) => noteMemory(null))
    expect(said(({ tell }) => tell(late))).toEqual([])
  })
})

test('a disk that is full is told to every member, stands still, and leaves memory alone', () => {
  const { said, late } = createRig()
  expect(said(({ noteFull }) => noteFull(true))).toEqual([
    'shard 0 wal.spaceChanged true', 'topology wal.spaceChanged true', 'raft 0 wal.stalled true', 'raft meta wal.stalled true',
  ])
  expect(said(({ tell }) => tell(late))).toEqual(['shard 1 wal.spaceChanged true', 'raft 1 wal.stalled true'])
  expect(said(({ noteFull }) => noteFull(false))).toContain('raft meta wal.stalled false')
  expect(said(({ tell }) => tell(late))).toEqual([])
})
