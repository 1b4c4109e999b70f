/**
 * `shardkv node`: one node process. It takes the lock of its data directory, reads its genesis, opens three connections to the broker,
 * and runs topology/node.ts until a signal drains it or an actor fails.
 *
 * Exit codes: 0 drained; 1 something failed that a restart may cure, such as a cluster to join that is not there yet; 78 (EX_CONFIG) the
 * node refuses to run like this: another process holds the directory or the name, the directory is not this node's, another cluster
 * answers on the prefix.
 */

import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { createRandom } from '../../actors/kernel/random.ts'
import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { EXIT_FAILURE, EXIT_REFUSED } from '../../actors/node/protocol.ts'
import { versionWarning } from '../../bus/brokerVersion.ts'
import { PING_INTERVAL_MS, connectNats, randomToken } from '../../bus/nats.ts'
import { createPulse } from '../../bus/pulse.ts'
import { NoHeadersError } from '../../bus/refusedConnection.ts'
import { nodesInbox } from '../../bus/subjects.ts'
import { createAdminListener } from '../../gateway/admin/listener.ts'
import { createMetricsListener } from '../../gateway/metrics.ts'
import { serveHealth } from '../../gateway/health.ts'
import { createPageListener, readPageAssets } from '../../gateway/observatory.ts'
import { createInstruments } from '../../observe/instruments.ts'
import { operationTimes } from '../../observe/operationTimes.ts'
import { openProcessLog } from '../../observe/log.ts'
import { createLogLevels } from '../../observe/logLevels.ts'
import { LogTargetError } from '../../observe/logTargets.ts'
import { createMemoryGauge } from '../../observe/memoryGauge.ts'
import { createExposition } from '../../observe/metrics/exposition.ts'
import { processReadings } from '../../observe/metrics/processReadings.ts'
import { createNodeRecorder } from '../../observe/recorder/recorder.ts'
import { createRequestRecorder } from '../../observe/recorder/requests.ts'
import { loggingSlow } from '../../observe/slowLog.ts'
import { OtlpError, loadInstalled } from '../../observe/tracing/otlp.ts'
import { createRandomIds } from '../../observe/tracing/randomIds.ts'
import { openTracing } from '../../observe/tracing/openTracing.ts'
import { createVitals } from '../../observe/vitals.ts'
import { acquireLock } from '../../storage/directoryLock.ts'
import { watchDiskSpace } from '../../storage/diskSpace.ts'
import { readGenesis } from '../../storage/genesis.ts'
import { createLocalFiles } from '../../storage/localFiles.ts'
import { createNodeFileSystem } from '../../storage/nodeFileSystem.ts'
import { ownAddresses } from '../../topology/addresses.ts'
import { bootId } from '../../topology/ids.ts'
import { watchSupervisor } from '../../topology/launcher/supervised.ts'
import { joinCluster } from '../../topology/joinCluster.ts'
import { createNode } from '../../topology/node.ts'
import { defaultSettings } from '../../topology/nodeOptions.ts'
import { keepHeapRoom } from '../heapRoom.ts'
import { otlpSecrets } from '../otlpSecrets.ts'
import { collectReports } from '../status/collect.ts'
import { watchBus } from './busWatch.ts'
import { directoryRefusal } from './directoryRefusal.ts'
import { watchRouting } from './routingWatch.ts'
import type { Logger } from '../../actors/kernel/log.ts'
import type { Genesis } from '../../actors/wal/protocol.ts'
import type { FileError } from '../../storage/fileSystem.ts'
import type { ProcessLog } from '../../observe/log.ts'
import type { LevelName, LogLevels } from '../../observe/logLevels.ts'
import type { ProcessTracing } from '../../observe/tracing/openTracing.ts'
import type { TracingSettings } from '../../observe/tracing/settings.ts'
import type { NatsOptions } from '../../bus/nats.ts'
import type { Pulse } from '../../bus/pulse.ts'
import type { PageListener } from '../../gateway/observatory.ts'
import type { Bus } from '../../bus/port.ts'
import type { NodeAddresses } from '../../topology/addresses.ts'
import type { Node } from '../../topology/node.ts'
import type { JoinWish } from '../../topology/ownMembership.ts'
import type { Broker } from '../broker.ts'

/**
 * An answer to a ping stands behind everything else that the broker has for the connection: at the doors, behind a flood. To give the
 * connection up for that would drop every answer in flight. That it is dead in truth is noticed after 15 s, instead of 4.5.
 */
const DOORS_PINGS_OUT_MAX = 9

/** Below it, an entry with its allowance for keys and framing would not fit a message. */
const MAX_PAYLOAD_BYTES_MIN = 65_536

export interface NodeCommandOptions {
  readonly prefix: string
  readonly broker: Broker
  /** Its passwords and tokens, for the log to strike out. */
  readonly brokerSecrets: readonly string[]
  readonly id: string
  readonly dir: string
  readonly httpHost: string
  readonly httpPort: number
  /** How others reach that port, where somebody has said so. */
  readonly httpAddress?: string
  /** Of this machine. */
  readonly hostName: string
  /** Of the admin API. Goes nowhere else: no log, no report. */
  readonly adminToken?: string
  /** Opens /metrics and nothing else. */
  readonly metricsToken?: string
  readonly logLevel: LevelName
  /** As in observe/logTargets.ts. */
  readonly logTo?: readonly string[]
  /** Requests that take longer are logged; 0: none. */
  readonly slowMs: number
  readonly tracing: TracingSettings
  readonly lostAfterMs: number
  /** What the node sends to new replicas at most. */
  readonly moveBytesPerSecond: number
  /** Each committed change of a key is announced on `kv-changed.<key>`, by the node that led the shard. */
  readonly announceChanges: boolean
  readonly join?: JoinWish
  /** Of ShardKV: reports and micro services say it. */
  readonly version: string
}

/** A start that must not be tried again as it is: the exit code is 78. */
class StartRefused extends Error {
  override readonly name = 'StartRefused'
}

/** Resolves with the exit code when the node has ended. The process should exit then. */
export const runNode = async (options: NodeCommandOptions): Promise<number> => {
  const levels = createLogLevels(options.logLevel)
  const opened = await openLog(options, levels)
  if (opened === null) return EXIT_REFUSED
  const { log, flush, close } = opened
  // What ends the process with a stack on standard error, as Node does by itself, is in the log, too.
  process.on('uncaughtExceptionMonitor', opened.fatal)
  const leaveHeap = keepHeapRoom()
  const drain = watchForDrain(log, () => {
    flush()
    process.exit(0)
  })
  try {
    if (options.join !== undefined) await makeDirectory(options.dir)
    const release = await lock(options.dir)
    const known = await ownGenesis(options)
    const tracing = await traces(options, log)
    const pulse = createPulse(PING_INTERVAL_MS)
    const buses = await connectAll(options, log, pulse)
    const genesis = known ?? await join(options, buses.control)
    const code = await serveUntilEnd(options, genesis, { log, lostLines: opened.lost, levels, buses, pulse, drain, tracing })
    const drains = Object.values(buses).map((bus) => new Promise<void>((resolve) => { bus.drain(resolve) }))
    await Promise.all([tracing.close(), ...drains])
    await new Promise<void>((resolve) => { release(resolve) })
    return code
  } catch (error) {
    const refused = error instanceof StartRefused
    log.error({ actor: 'node', err: error }, refused ? 'this node refuses to start' : 'this node can not start')
    return refused ? EXIT_REFUSED : EXIT_FAILURE
  } finally {
    leaveHeap()
    await close()
  }
}

/** Null when a target can not be opened: there is no log to say so in. */
const openLog = async (options: NodeCommandOptions, levels: LogLevels): Promise<ProcessLog | null> => {
  const secrets = [options.adminToken, options.metricsToken, ...options.brokerSecrets, ...otlpSecrets(process.env)]
    .filter((secret) => secret !== undefined)
  try {
    return await openProcessLog({ levels, node: options.id, targets: options.logTo, secrets })
  } catch (error) {
    if (!(error instanceof LogTargetError)) throw error
    process.stderr.write(`shardkv: ${error.message}\n`)
    return null
  }
}

const traces = async ({ id, version, tracing }: NodeCommandOptions, log: Logger): Promise<ProcessTracing> => {
  try {
    return await openTracing({
      settings: tracing, node: id, version, env: process.env, clock: createSystemClock(), log,
      ids: createRandomIds(), random: Math.random, load: loadInstalled,
    })
  } catch (error) {
    throw error instanceof OtlpError ? new StartRefused(error.message) : error
  }
}

interface DrainWatch {
  /** Who is told from now on. */
  readonly handTo: (drain: () => void) => void
}

/** SIGHUP: the terminal has gone. */
const drainSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** Listens from the first moment: a node that waits for its broker must hear a signal, and a launcher that is gone, too. */
const watchForDrain = (log: Logger, beforeStart: () => void): DrainWatch => {
  let receiver = beforeStart
  const told = (reason: string): void => {
    log.info({ actor: 'node', reason }, 'the node is told to stop')
    receiver()
  }
  for (const signal of drainSignals) process.on(signal, told)
  watchSupervisor(process.env, process.stdin, () => told('the launcher has gone'))
  return { handTo: (drain) => { receiver = drain } }
}

/** Only a node that joins may find none: for any other it would be a failed mount. */
const makeDirectory = (directory: string): Promise<void> => new Promise((resolve, reject) => {
  createNodeFileSystem(directory).makeDirectory('', (error) => {
    if (error === null) resolve()
    else reject(refusedOr(directory, error))
  })
})

const lock = (directory: string): Promise<(done: () => void) => void> => new Promise((resolve, reject) => {
  acquireLock(directory, (error, release) => {
    if (error === null) resolve(release)
    else reject(refusedOr(directory, error))
  })
})

const refusedOr = (directory: string, error: FileError): Error => {
  const refusal = directoryRefusal(directory, error)
  return refusal === null ? error : new StartRefused(refusal)
}

/** Null for a new directory that may join a cluster. */
const ownGenesis = (options: NodeCommandOptions): Promise<Genesis | null> => new Promise((resolve, reject) => {
  readGenesis(createNodeFileSystem(options.dir), (result) => {
    if (result.kind === 'refused') reject(new StartRefused(result.message))
    else if (result.kind === 'none') {
      if (options.join !== undefined) resolve(null)
      else reject(new StartRefused(`${options.dir} belongs to no cluster; "shardkv start" creates one, and --join joins one`))
    } else if (result.genesis.node !== options.id) {
      reject(new StartRefused(`${options.dir} belongs to node ${result.genesis.node}, not ${options.id}`))
    } else resolve(result.genesis)
  })
})

const join = async ({ prefix, id, dir, broker }: NodeCommandOptions, bus: Bus): Promise<Genesis> => {
  const inbox = `${nodesInbox(broker.inboxPrefix)}.${randomToken()}.join`
  const reports = await collectReports({ bus, clock: createSystemClock(), prefix, inbox })
  const joined = await joinCluster({ bus, fileSystem: createNodeFileSystem(dir), reports, prefix, id })
  if ('genesis' in joined) return joined.genesis
  throw joined.mayPass ? new Error(joined.problem) : new StartRefused(joined.problem)
}

interface Buses {
  readonly data: Bus
  readonly doors: Bus
  readonly control: Bus
}

const connectAll = async (options: NodeCommandOptions, log: Logger, pulse: Pulse): Promise<Buses> => {
  const open = (suffix: keyof Buses, more: Partial<NatsOptions> = {}): Promise<Bus> => connectNats({
    ...options.broker, name: `shardkv/${options.id}/${suffix}`, inboxPrefix: nodesInbox(options.broker.inboxPrefix), waitForServer: true,
    pulse, ...more,
  }).catch((error: unknown) => { throw error instanceof NoHeadersError ? new StartRefused(error.message) : error })
  log.info({ actor: 'bus', servers: options.broker.servers.join(',') }, 'connecting to the broker, for as long as it takes')
  const buses = {
    data: await open('data'),
    doors: await open('doors', { pingsOutMax: DOORS_PINGS_OUT_MAX }),
    control: await open('control'),
  }
  const { server, maxPayloadBytes } = buses.data.status()
  const warning = versionWarning(server.version)
  log.info({ actor: 'bus', broker: server, maxPayloadBytes }, 'connected')
  if (maxPayloadBytes < MAX_PAYLOAD_BYTES_MIN) {
    throw new StartRefused(`the broker's max_payload is ${maxPayloadBytes} bytes: it must be at least ${MAX_PAYLOAD_BYTES_MIN}`)
  }
  if (warning !== null) log.warn({ actor: 'bus' }, warning)
  return buses
}

interface Surroundings {
  readonly log: Logger
  /** Lines that could not be written. */
  readonly lostLines: () => number
  readonly levels: LogLevels
  readonly buses: Buses
  /** Of all of them. */
  readonly pulse: Pulse
  readonly drain: DrainWatch
  readonly tracing: ProcessTracing
}

/** Beside the compiled sources; a node that runs from the sources themselves has none. */
const pageOf = async ({ adminToken }: NodeCommandOptions): Promise<PageListener> => {
  const directory = fileURLToPath(new URL('../../observe/page/', import.meta.url))
  return createPageListener({ assets: await readPageAssets(createLocalFiles(), directory), isTokenSet: adminToken !== undefined })
}

const serveUntilEnd = async (options: NodeCommandOptions, genesis: Genesis, surroundings: Surroundings): Promise<number> => {
  const { log, lostLines, levels, buses, pulse, drain, tracing } = surroundings
  const boot = randomBytes(8).toString('hex')
  let node: Node | null = null
  const admin = createAdminListener({
    admin: () => node?.admin() ?? null,
    observation: () => node?.observation() ?? null,
    host: options.httpHost,
    token: options.adminToken ?? null,
    version: options.version,
    logLevels: levels,
    newRequestId: () => `admin-${randomBytes(8).toString('hex')}`,
    onFailure: (error) => log.error({ actor: 'admin', err: error }, 'a request of the admin API failed'),
  })
  if ('withheld' in admin) log.warn({ actor: 'admin' }, admin.withheld)
  const { prefix, lostAfterMs, moveBytesPerSecond, announceChanges } = options
  const ownInboxPrefix = nodesInbox(options.broker.inboxPrefix)
  const settings = {
    ...defaultSettings, prefix, lostAfterMs, ownInboxPrefix, announceChanges,
    traceMessages: () => levels.isOn('raft', 'trace'), raftLimits: { moveBytesPerSecond },
  }
  const disk = watchDiskSpace(options.dir)
  const memory = createMemoryGauge()
  const vitals = createVitals(settings.tickMs, disk.space, lostLines)
  const instruments = createInstruments(() => Date.now() / 1_000)
  const metrics = createMetricsListener({
    host: options.httpHost,
    adminToken: options.adminToken ?? null,
    metricsToken: options.metricsToken ?? null,
    render: createExposition(() => ({
      records: instruments.records, node: node?.sample() ?? null, traces: tracing.counts(),
      process: processReadings({ version: options.version, loopDelayMicros: vitals.loopDelayMicros, lostLogLines: lostLines() }),
    }), createSystemClock()),
    onFailure: (error) => log.error({ actor: 'metrics', err: error }, 'the metrics could not be read'),
  })
  if ('withheld' in metrics) log.warn({ actor: 'metrics' }, metrics.withheld)
  const page = await pageOf(options)
  const hasAdmin = 'listener' in admin
  const [health, addresses] = await new Promise<[{ close: () => void }, NodeAddresses]>((resolve, reject) => {
    const server = serveHealth({
      ...('listener' in admin ? { admin: admin.listener, page } : {}),
      ...('listener' in metrics ? { metrics: metrics.listener } : {}),
      host: options.httpHost,
      port: options.httpPort,
      readiness: () => node?.readiness() ?? { ready: false, waitingFor: ['the node to be built'], warnings: [] },
      onFull: (connections) => log.warn({ actor: 'http', connections }, 'there are as many connections as may be: silent ones make room'),
    }, (error, port) => {
      if (error !== null) {
        reject(error)
        return
      }
      log.info({ actor: 'http', host: options.httpHost, port, hasAdmin }, 'HTTP is served')
      resolve([server, ownAddresses({ ...options, httpPort: port, hasAdmin })])
    })
  })
  return new Promise<number>((resolve) => {
    const clock = createSystemClock()
    const recorder = createNodeRecorder({ node: options.id, clock })
    const requests = createRequestRecorder({ recorder, clock })
    const end = (code: number, reason: string): void => {
      disk.stop()
      memory.stop()
      log[code === 0 ? 'info' : 'error']({ actor: 'node', code, reason }, 'the node has ended')
      health.close()
      resolve(code)
    }
    const started = createNode({
      genesis,
      boot: bootId(boot),
      pid: process.pid,
      startedAtMs: Date.now(),
      version: options.version,
      addresses,
      ports: {
        clock,
        random: createRandom(randomBytes(6).readUIntBE(0, 6)),
        fileSystem: createNodeFileSystem(options.dir),
        bus: buses.data,
        doorsBus: buses.doors,
        controlBus: buses.control,
        newToken: randomToken,
        log,
        recorder,
        requests,
        operationTimes: () => operationTimes(instruments.records),
        memory,
        vitals: { ...vitals, noteTick: (tick) => { vitals.noteTick(tick); pulse.offer() } },
        instruments: options.slowMs === 0 ? instruments.ports : loggingSlow(instruments.ports, log, options.slowMs),
        tracing: tracing.join(requests.tracing),
      },
      settings,
      ...(options.join === undefined ? {} : { join: options.join }),
      onExit: end,
    })
    node = started
    const onLost = (reason: string): void => {
      started.kill()
      end(EXIT_FAILURE, `the connection to the broker is closed for good: ${reason}`)
    }
    for (const name of ['data', 'doors', 'control'] as const) watchBus(buses[name], { name, clock, log, onLost })
    watchRouting({ clock, buses: [buses.doors, buses.control], check: started.checkRouting })
    drain.handTo(() => started.drain())
  })
}
