/** Flags shared by the questions. Every flag is also an environment variable, as in the command line tool (cli/flags.ts). */

import { InvalidArgumentError } from 'commander'
import { splitBrokerUrls } from '../bus/brokerUrls.ts'
import { flag, prefixFlag, wholeNumber, withLoginFlags } from '../cli/flags.ts'
import { productDrivers } from './drivers/port.ts'
import { distributions } from './load/workload.ts'
import type { Command } from 'commander'
import type { ClusterFlags } from '../cli/flags.ts'
import type { DriverName } from './drivers/port.ts'
import type { Distribution } from './load/workload.ts'

const IN_FLIGHT_MAX = 65_536
const KEYS_MAX = 10_000_000
const KEYS_DEFAULT = 100_000

export interface PrintFlags {
  readonly json?: boolean
}

/** Of a question that watches for a while. */
export interface LengthFlags extends PrintFlags {
  readonly seconds: number
}

/** Of one that looks at idle nodes. */
export interface RestFlags extends LengthFlags {
  readonly restSeconds: number
}

/** Of one that asks operations for a while. */
export interface LoadFlags extends LengthFlags {
  readonly warmUpMs: number
}

/** Of one that asks them several times. */
export interface RunFlags extends LoadFlags {
  readonly runs: number
  readonly warmServersSeconds: number
}

/** What is written once. */
export interface KeysFlags {
  readonly keys: number
  readonly valueBytes: number
}

export interface WorkloadFlags extends KeysFlags {
  readonly distribution: Distribution
}

export interface DriverFlags {
  readonly driver: DriverName
}

/** Without `servers` a cluster is started, and the login means nothing. */
export interface TargetFlags extends DriverFlags, Omit<ClusterFlags, 'servers'> {
  readonly servers?: readonly string[]
}

/** A parser for whole numbers separated by commas. */
export const wholeNumbers = (min: number, max: number) => (text: string): readonly number[] => {
  const parse = wholeNumber(min, max)
  return text.split(',').map((part) => parse(part.trim()))
}

export const withJsonFlag = (command: Command): Command => command.addOption(flag('--json', 'print the figures as JSON'))

export const withRunsFlag = (command: Command, runs: number): Command => command
  .addOption(flag('--runs <count>', 'runs per figure; the median counts').argParser(wholeNumber(1, 99)).default(runs))

export const withLengthFlags = (command: Command, seconds: number): Command => withJsonFlag(command
  .addOption(flag('--seconds <count>', 'length of a run').argParser(wholeNumber(1, 86_400)).default(seconds)))

/** V8 goes on compiling for minutes after a start (docs/PERFORMANCE.md, "Memory, idleness, and an hour of work"). */
export const withRestFlag = (command: Command): Command => command
  .addOption(flag('--rest-seconds <count>', 'before idle nodes are looked at: what starting left to do is not idleness')
    .argParser(wholeNumber(0, 86_400)).default(180))

export const withLoadFlags = (command: Command, seconds: number): Command => withLengthFlags(command, seconds)
  .addOption(flag('--warm-up-ms <ms>', 'not counted, at the start of every run').argParser(wholeNumber(0, 60_000)).default(1_500))

export const withRunFlags = (command: Command, defaults: { readonly runs: number; readonly seconds: number }): Command =>
  withLoadFlags(withRunsFlag(command, defaults.runs), defaults.seconds)
    .addOption(flag('--warm-servers-seconds <count>', 'work before the first run, so that no figure is of code being compiled')
      .argParser(wholeNumber(0, 3_600)).default(30))

export const withKeysFlags = (command: Command, keys = KEYS_DEFAULT): Command => command
  .addOption(flag('--keys <count>', 'different keys of 16 bytes').argParser(wholeNumber(1, KEYS_MAX)).default(keys))
  .addOption(flag('--value-bytes <count>', 'size of a value').argParser(wholeNumber(0, 524_288)).default(128))

export const withWorkloadFlags = (command: Command, keys = KEYS_DEFAULT): Command => withKeysFlags(command, keys)
  .addOption(flag('--distribution <name>', 'how often which key is asked for').choices(distributions).default('uniform'))

export const withInFlightFlag = (command: Command, depths: readonly number[]): Command => command
  .addOption(flag('--inflight <counts>', 'operations in flight, separated by commas')
    .argParser(wholeNumbers(1, IN_FLIGHT_MAX)).default(depths, depths.join(',')))

export const withTargetFlags = (command: Command): Command => withPlaceFlags(withDriverFlag(command))

/** Where the cluster is, for a question that leaves no choice of how it is asked. */
export const withPlaceFlags = (command: Command): Command => withLoginFlags(command
  .addOption(flag('--servers <urls>', 'a cluster that runs already; default: one of three nodes is started').argParser(serverUrls)))
  .addOption(prefixFlag())

export const withDriverFlag = (command: Command): Command => command
  .addOption(flag('--driver <name>', 'how the client asks ShardKV').choices(productDrivers).default(productDrivers[0]))

/** What else may be wrong with them is said without repeating them, since a login may be in them (cli/broker.ts). */
const serverUrls = (text: string): readonly string[] => {
  const urls = splitBrokerUrls(text)
  if (urls.length === 0) throw new InvalidArgumentError('It is a list of addresses such as nats://127.0.0.1:4222.')
  return urls
}
