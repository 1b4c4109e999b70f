/** The peers as targets, three servers each on this machine: etcd, and JetStream KV with its defaults or with a sync for every write. */

import { join } from 'node:path'
import { figuresOf } from '../clientTask.ts'
import { serverPath } from './broker.ts'
import { createChildGroup } from './children.ts'
import { freePorts } from './freePorts.ts'
import type { MeasuredLoop } from '../clientTask.ts'
import type { Measurement } from '../load/measurement.ts'
import type { WorkloadSpec } from '../load/workload.ts'
import type { ChildGroup, ChildSpec } from './children.ts'
import type { PeerPrograms } from './peerPrograms.ts'
import type { Target } from './port.ts'

const HOST = '127.0.0.1'
const MEMBERS = [0, 1, 2]
const CLIENT_GRACE_MS = 60_000

export const startEtcd = async (programs: PeerPrograms): Promise<Target> => {
  const ports = await freePorts(MEMBERS.length * 2)
  const clientUrl = (member: number): string => `http://${HOST}:${ports[member * 2]}`
  const peerUrl = (member: number): string => `http://${HOST}:${ports[member * 2 + 1]}`
  const cluster = MEMBERS.map((member) => `e${member}=${peerUrl(member)}`).join(',')
  const specsOf = (directory: string): readonly ChildSpec[] => MEMBERS.map((member) => ({
    name: `e${member}`,
    program: programs.etcdServer,
    args: [
      '--name', `e${member}`, '--data-dir', join(directory, `e${member}`), '--initial-cluster', cluster, '--initial-cluster-state', 'new',
      '--listen-client-urls', clientUrl(member), '--advertise-client-urls', clientUrl(member),
      '--listen-peer-urls', peerUrl(member), '--initial-advertise-peer-urls', peerUrl(member),
    ],
    readyLine: 'ready to serve client requests',
    isGuarded: true,
  }))
  return await startPeer('etcd', { clientProgram: programs.etcdClient, servers: MEMBERS.map(clientUrl), specsOf })
}

/** `isSynced`: every write is synced before it is acknowledged (`sync_interval: always`); otherwise every two minutes. */
export const startJetStream = async (programs: PeerPrograms, isSynced: boolean): Promise<Target> => {
  const name = isSynced ? 'jetstream synced' : 'jetstream'
  const ports = await freePorts(MEMBERS.length * 2)
  const program = await serverPath()
  const routes = MEMBERS.map((member) => `"nats://${HOST}:${ports[member * 2 + 1]}"`).join(', ')
  const configOf = (directory: string, member: number): string => [
    `server_name: js${member}`,
    `listen: "${HOST}:${ports[member * 2]}"`,
    `jetstream { store_dir: "${join(directory, `js${member}`)}"${isSynced ? ', sync_interval: always' : ''} }`,
    `cluster { name: bench, listen: "${HOST}:${ports[member * 2 + 1]}", routes: [${routes}] }`,
    '',
  ].join('\n')
  const specsOf = (directory: string): readonly ChildSpec[] => MEMBERS.map((member) => ({
    name: `js${member}`,
    program,
    args: ['-c', join(directory, `js${member}.conf`)],
    readyLine: 'Server is ready',
    isGuarded: true,
  }))
  return await startPeer(name, {
    clientProgram: programs.jetStreamClient,
    servers: MEMBERS.map((member) => `nats://${HOST}:${ports[member * 2]}`),
    specsOf,
    prepare: async ({ files, directory }) => {
      for (const member of MEMBERS) await files.writeAtomically(join(directory, `js${member}.conf`), configOf(directory, member))
    },
  })
}

interface PeerPlan {
  readonly clientProgram: string
  readonly servers: readonly string[]
  readonly specsOf: (directory: string) => readonly ChildSpec[]
  readonly prepare?: (group: ChildGroup) => Promise<void>
}

const startPeer = async (name: string, { clientProgram, servers, specsOf, prepare }: PeerPlan): Promise<Target> => {
  const group = await createChildGroup(name.replace(' ', '-'))
  try {
    await prepare?.(group)
    const pids = await group.start(specsOf(group.directory))
    return { name, ask: (workload, loop) => askPeer(clientProgram, servers, { workload, loop }), pids, stop: group.stop }
  } catch (error) {
    await group.stop()
    throw error
  }
}

const askPeer = async (
  program: string, servers: readonly string[], { workload, loop }: { readonly workload: WorkloadSpec; readonly loop: MeasuredLoop },
): Promise<Measurement> => {
  if (loop.kind === 'open') throw new Error('peers are asked in closed loops only')
  const op = loop.kind === 'fill' ? 'fill' : opOf(workload)
  return await figuresOf(program, program, {
    args: [
      '-servers', servers.join(','), '-op', op, '-inflight', String(loop.inFlight), '-keys', String(workload.keys),
      '-value-bytes', String(workload.valueBytes), '-warm-up-ms', String(loop.warmUpMs), '-duration-ms', String(loop.durationMs),
    ],
    timeoutMs: loop.warmUpMs + loop.durationMs + CLIENT_GRACE_MS,
  }) as Measurement
}

const opOf = ({ readShare, distribution }: WorkloadSpec): 'put' | 'get' => {
  if (distribution !== 'uniform' || (readShare !== 0 && readShare !== 1)) throw new Error('peers are asked uniform puts or gets only')
  return readShare === 0 ? 'put' : 'get'
}
