/**
 * `bench peers`: ShardKV beside etcd and JetStream KV, three servers each, in turns in one session on this machine, each with its own
 * client in one process. The table says what each promises, since a figure without its promise compares nothing.
 */

import { withDriverFlag, withInFlightFlag, withKeysFlags, withRunFlags } from '../flags.ts'
import { formatTable, printResult, throughputTable } from '../report.ts'
import { buildPeerPrograms, etcdVersion } from '../targets/peerPrograms.ts'
import { startEtcd, startJetStream } from '../targets/peers.ts'
import { startProduct } from '../targets/product.ts'
import { withTargets } from '../targets/use.ts'
import { getMix } from './get.ts'
import { putMix } from './put.ts'
import { endWith } from '../verdict.ts'
import { flawsOfRows, measureMixes } from './throughput.ts'
import type { Command } from 'commander'
import type { RunFlags, DriverFlags, KeysFlags } from '../flags.ts'
import type { Row } from '../report.ts'

interface PeersFlags extends RunFlags, KeysFlags, DriverFlags {
  readonly inflight: readonly number[]
}

/** What an acknowledged write and an answered read mean, with the settings used here. */
const PROMISES = [
  ['etcd', 'synced on a majority', 'linearizable'],
  ['product', 'synced on a majority', 'linearizable'],
  ['jetstream', 'written on a majority, synced every 2 minutes', 'any replica, may be stale'],
  ['jetstream synced', 'synced one by one before the acknowledgement', 'any replica, may be stale'],
] as const

/** At 64 in flight, as multiples of etcd. */
const BAR_IN_FLIGHT = 64
const BARS: Readonly<Record<string, number>> = { put: 1.8, get: 3 }

export const addPeers = (program: Command): void => {
  const command = program.command('peers').description('ShardKV, etcd and JetStream KV in turns (needs Go)')
  withDriverFlag(withKeysFlags(withRunFlags(withInFlightFlag(command, [1, BAR_IN_FLIGHT, 256]), { runs: 3, seconds: 3 }))).action(askPeers)
}

const askPeers = async (flags: PeersFlags): Promise<void> => {
  const programs = await buildPeerPrograms()
  const starts = [
    () => startEtcd(programs), () => startProduct(flags.driver),
    () => startJetStream(programs, false), () => startJetStream(programs, true),
  ]
  await withTargets(starts, async (targets) => {
    const rows = await measureMixes(targets, [putMix, getMix], { ...flags, distribution: 'uniform' })
    const bars = rows.flatMap(verdict)
    const etcd = await etcdVersion(programs)
    const text = [
      `etcd ${etcd}; ratios are multiples of etcd`, throughputTable(rows),
      formatTable(['target', 'an acknowledged write is', 'a read is'], PROMISES), ...bars,
    ]
    await printResult(flags.json === true, { etcd, rows, bars }, text.join('\n'))
    endWith(flawsOfRows(rows))
  })
}

const verdict = ({ op, inFlight, target, ratio }: Row): readonly string[] => {
  const bar = BARS[op]
  if (target !== 'product' || inFlight !== BAR_IN_FLIGHT || bar === undefined || ratio === undefined) return []
  return [`${op} at ${inFlight}: ${ratio.toFixed(2)} times etcd, bar ${bar}: ${ratio >= bar ? 'reached' : 'MISSED'}`]
}
