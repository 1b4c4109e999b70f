/**
 * `shardkv node`: one node process. It takes the lock of its data directory, reads its genesis, connects twice to the broker, and runs
 * topology/node.ts until a signal drains it or an actor fails.
 *
 * Exit codes: 0 drained; 1 something failed that a restart may cure; 78 (EX_CONFIG) the node refuses to run like this: another
 * process holds the directory or the name, the directory is not this node's, another cluster answers on the prefix.
 */

import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { createRandom, hex64 } from '../../actors/kernel/random.ts'
import { EXIT_FAILURE, EXIT_REFUSED } from '../../actors/node/protocol.ts'
import { connectNats, versionWarning } from '../../bus/nats.ts'
import { serveHealth } from '../../gateway/health.ts'
import { createProcessLog } from '../../observe/log.ts'
import { acquireLock } from '../../storage/directoryLock.ts'
import { readGenesis } from '../../storage/genesis.ts'
import { createNodeFileSystem } from '../../storage/nodeFileSystem.ts'
import { createNode } from '../../topology/node.ts'
import { defaultSettings } from '../../topology/nodeOptions.ts'
import { bootId } from '../../topology/ids.ts'
import { watchSupervisor } from '../../topology/launcher/supervised.ts'
import { randomBytes } from 'node:crypto'
