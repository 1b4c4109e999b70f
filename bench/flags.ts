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

export interface RunFlags {
  readonly runs: number
  readonly seconds: number
  readonly warmUpMs: number
  readonly warmServersSeconds: number
  readonly json?: boolean
}

export interface WorkloadFlags {
  readonly keys: number
  readonly distribution: Distribution
  readonly valueBytes: number
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

export const withRunFlags = (command: Command, defaults: { readonly runs: number; readonly seconds: number }): Command => command
  .addOption(flag('--runs <count>', 'runs per figure; the median counts').argParser(wholeNumber(1, 99)).default(defaults.runs))
  .addOption(flag('--seconds <count>', 'length of a run').argParser(wholeNumber(1, 86_400)).default(defaults.seconds))
  .addOption(flag('--warm-up-ms <ms>', 'not counted, at the start of every run').argParser(wholeNumber(0, 60_000)).default(1_500))
  .addOption(flag('--warm-servers-seconds <count>', 'work before the first run, so that no figure is of code being compiled')
    .argParser(wholeNumber(0, 3_600)).default(10))
  .addOption(flag('--json', 'print the figures as JSON'))

export const withWorkloadFlags = (command: Command, keys = KEYS_DEFAULT): Command => command
  .addOption(flag('--keys <count>', 'different keys of 16 bytes').argParser(wholeNumber(1, KEYS_MAX)).default(keys))
  .addOption(flag('--distribution <name>', 'how often which key is asked for').choices(distributions).default('uniform'))
  .addOption(flag('--value-bytes <count>', 'size of a value').argParser(wholeNumber(0, 524_288)).default(128))

export const withInFlightFlag = (command: Command, depths: readonly number[]): Command => command
  .addOption(flag('--inflight <counts>', 'operations in flight, separated by commas')
    .argParser(wholeNumbers(1, IN_FLIGHT_MAX)).default(depths, depths.join(',')))

export const withTargetFlags = (command: Command): Command => withLoginFlags(withDriverFlag(command)
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
