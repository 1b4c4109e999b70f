/** The launcher with the real machine behind its ports. */

import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { versionWarning } from '../../bus/brokerVersion.ts'
import { serverConfig } from '../../bus/natsConfig.ts'
import { readGenesis, writeGenesis } from '../../storage/genesis.ts'
import { createNodeFileSystem } from '../../storage/nodeFileSystem.ts'
import { openCluster } from './clusterFile.ts'
import { createMachineHost } from './machineHost.ts'
import { findNatsServer, findNatsServerVersion } from './natsServer.ts'
import { brokerName, isReady, isTaken } from './probes.ts'
import { createProcesses } from './processes.ts'
import { startCluster } from './startCluster.ts'
import { lockDirectory } from './startLock.ts'
import type { GenesisResult } from '../../storage/genesis.ts'
import type { ClusterWishes, OpenedCluster } from './clusterFile.ts'
import type { FoundServer, Say } from './natsServer.ts'
import type { StartOptions, StartPorts, StartedCluster } from './startCluster.ts'

const HOST = '127.0.0.1'
const CLUSTER_ID_BYTES = 8

/** Finds or installs nats-server, with progress lines; where a version is named, that one. */
export const ensureNatsServer = (say: Say, version?: string): Promise<FoundServer> => (version === undefined
  ? findNatsServer(createMachineHost(), say)
  : findNatsServerVersion(createMachineHost(), version, say))

export const startLocalCluster = (options: StartOptions, say: Say): Promise<StartedCluster> => startCluster(options, realPorts(say))

/** Sets up a cluster's directory without starting anything. */
export const createCluster = (wishes: ClusterWishes): Promise<OpenedCluster> => openCluster(realPorts(() => {}), wishes)

/** Whose data directory it is. */
export const readGenesisIn = (directory: string): Promise<GenesisResult> =>
  new Promise((resolve) => { readGenesis(createNodeFileSystem(directory), resolve) })

const realPorts = (say: Say): StartPorts => {
  const host = createMachineHost()
  return {
    say,
    files: host.files,
    env: host.env,
    cores: availableParallelism(),
    clock: createSystemClock(),
    wallMs: () => Date.now(),
    processes: createProcesses(host.files),
    lock: lockDirectory,
    findServer: () => findNatsServer(host, say),
    versionWarning: (version) => versionWarning(version) ?? undefined,
    brokerConfig: serverConfig,
    isReady: (port) => isReady(HOST, port),
    brokerName: (port) => brokerName(HOST, port),
    isTaken: (port) => isTaken(HOST, port),
    newClusterId: () => randomBytes(CLUSTER_ID_BYTES).toString('hex'),
    writeGenesis: (directory, genesis) =>
      new Promise((resolve) => { writeGenesis(createNodeFileSystem(directory), genesis, (error) => { resolve(error) }) }),
    readGenesis: async (directory) => {
      const result = await readGenesisIn(directory)
      return result.kind === 'found' ? result.genesis : null
    },
    cliCommand: [process.execPath, fileURLToPath(new URL('../../cli/entry.js', import.meta.url))],
  }
}
