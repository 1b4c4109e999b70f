/** The shell of one Raft member between ports that note what comes, and answer when the test says so. */

import { createRaftMember } from '../../actors/raft/actor.ts'
import { createRandom } from '../../actors/kernel/random.ts'
import { silentLogger } from '../../actors/kernel/log.ts'
import { crc32 } from '../../storage/crc.ts'
import { nodeOf } from '../../topology/ids.ts'
import { idOf } from './raftHarness.ts'
import { describeMessage } from './raftText.ts'
import type { RaftMember, RaftMemberOptions } from '../../actors/raft/actor.ts'
import type { RaftMessage } from '../../actors/raft/protocol.ts'
import type { ShardLocalEvent } from '../../actors/shard/protocol.ts'
import type { WalEvent } from '../../actors/wal/protocol.ts'
import type { SnapshotInfo, SnapshotStore } from '../../storage/snapshotStore.ts'

export const GROUP = 4
export const configuration = { epoch: 0, voters: [1, 2, 3].map(idOf), outgoing: [], learners: [] }
export const alone = { epoch: 0, voters: [idOf(1)], outgoing: [], learners: [] }
export const info = (index: number, totalBytes = 8): SnapshotInfo => ({ group: GROUP, index, term: 1, configuration, totalBytes })
export const failure = (code: string): Error => Object.assign(new Error(code), { code })

export interface Stage {
  readonly member: RaftMember
  readonly mails: string[]
  readonly wal: WalEvent[]
  readonly shard: ShardLocalEvent[]
  readonly lines: string[]
  readonly failures: unknown[]
  /** Calls of the snapshot store that wait for their answer, by name. */
  readonly calls: { readonly name: keyof SnapshotStore, readonly args: readonly unknown[] }[]
  readonly flushes: () => number
  /** Answers the oldest waiting call of this name. */
  readonly answer: (name: keyof SnapshotStore, error: Error | null, result?: unknown) => void
  readonly say: (message: RaftMessage, from?: number) => void
  /** The disk completes everything that was appended. */
  readonly sync: () => void
}

export const stage = (options: Partial<RaftMemberOptions> = {}): Stage => {
  const mails: string[] = []
  const wal: WalEvent[] = []
  const shard: ShardLocalEvent[] = []
  const lines: string[] = []
  const failures: unknown[] = []
  const calls: Stage['calls'][number][] = []
  let flushes = 0
  let incarnation = 0
  let synced = 0
  const call = (name: keyof SnapshotStore) => (...args: unknown[]): never => {
    calls.push({ name, args })
    return undefined as never
  }
  const snapshots: SnapshotStore = {
    write: call('write'), readRange: call('readRange'), receive: call('receive'), finishReceive: call('finishReceive'),
    load: call('load'), verify: call('verify'), list: call('list'), prune: call('prune'), clear: call('clear'),
  }
  const note = (fields: Readonly<Record<string, unknown>>, message: string): void => {
    lines.push(`${message} ${JSON.stringify(fields)}`)
  }
  const member = createRaftMember({
    group: GROUP, self: idOf(1), configuration, random: createRandom(1), now: 0, wallMs: 0, snapshot: null,
    recovered: { group: GROUP, hardState: { term: 0, vote: '' }, snapshot: { index: 0, term: 0 }, entries: [] },
    log: { ...silentLogger, info: note, trace: note, warn: note, error: note },
    ports: {
      mail: (to, message) => {
        if (message.type === 'raft.present') incarnation = message.incarnation
        mails.push(`${nodeOf(to)} ${describeMessage(message)}`)
      },
      wal: (event) => wal.push(event),
      shard: (event) => shard.push(event),
      snapshots,
      requestFlush: () => {
        flushes += 1
      },
      requestEmit: () => {},
      crc32: (bytes) => crc32(bytes),
    },
    onFailure: (error) => failures.push(error),
    ...options,
  })
  // Its first tick presents it; everybody accepts.
  member.send({ type: 'tick', ticks: 1, now: 0, wallMs: 0 })
  for (const peer of [2, 3]) member.send({ type: 'raft.presentAccepted', from: idOf(peer), incarnation })
  mails.length = 0
  return {
    member, mails, wal, shard, lines, failures, calls,
    flushes: () => flushes,
    answer: (name, error, result) => {
      const at = calls.findIndex((waiting) => waiting.name === name)
      const [waiting] = calls.splice(at, 1)
      const done = waiting?.args.at(-1) as (error: Error | null, result?: unknown) => void
      done(error, result)
    },
    say: (message, from = 2) => member.send({ ...message, from: idOf(from) }),
    sync: () => {
      for (; synced < wal.length; synced += 1) {
        const event = wal[synced]
        if (event?.type !== 'wal.append') continue
        const lastIndex = member.status().lastIndex
        member.send({ type: 'wal.appended', ticket: event.ticket, submittedTerm: event.submittedTerm, lastIndex })
      }
    },
  }
}
