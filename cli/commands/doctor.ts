/** `shardkv doctor`: looks the cluster over, and says what it found and what to do. Exit code 1 when something is wrong. */

import { Command } from 'commander'
import { brokerOf } from '../broker.ts'
import { checkAccess, checkBroker, checkRouting } from '../doctor/brokerChecks.ts'
import { gatherEvidence } from '../doctor/evidence.ts'
import { problem } from '../doctor/finding.ts'
import { checkClocks, checkDisks, checkMemory, checkLogs, checkLoops, checkNodes, checkSyncs } from '../doctor/nodeChecks.ts'
import { checkShards } from '../doctor/shardChecks.ts'
import { findingsText } from '../doctor/table.ts'
import { CliError, ExitCode } from '../exit.ts'
import { withClusterFlags, withFormatFlag } from '../flags.ts'
import { colorsFor, printResult, tabbed } from '../output.ts'
import { withBus } from '../session.ts'
import type { Evidence } from '../doctor/evidence.ts'
import type { Finding } from '../doctor/finding.ts'
import type { ClusterFlags, OutputFormat } from '../flags.ts'
import type { CliIo } from '../io.ts'

interface DoctorFlags extends ClusterFlags {
  readonly writeOut: OutputFormat
}

export const doctorCommand = (io: CliIo): Command => withFormatFlag(withClusterFlags(new Command('doctor'), io.env), 'table')
  .description('looks for trouble and says what to do about it')
  .addHelpText('after', '\nIt looks at the broker\'s version, the routing, what this user may do, leaders and replicas,\n'
    + 'clocks, disks, sync times and event loops. It takes about two seconds and changes nothing.\n'
    + 'Exit code: 0 all is well, 1 something is wrong, 4 no broker answers.\n\nExamples:\n  $ shardkv doctor\n  $ shardkv doctor -w json')
  .action(async (flags: DoctorFlags) => {
    const { user, token, creds, nkeySeed, inboxPrefix } = await brokerOf(flags, io.files)
    const hasUser = [user, token, creds, nkeySeed].some((given) => given !== undefined)
    const findings = diagnose(await withBus(io, flags, (bus) => gatherEvidence({
      bus, clock: io.clock, prefix: flags.prefix, hasUser, newId: io.newId, inboxPrefix,
    })))
    const problems = findings.filter(({ level }) => level === 'problem').length
    await printResult(io, flags.writeOut, {
      raw: tabbed(findings.map(({ level, check, found, cure }) => [level, check, found, cure ?? ''])),
      json: { healthy: problems === 0, findings },
      table: findingsText(findings, colorsFor(io)),
    })
    if (problems > 0) throw new CliError(ExitCode.error, problems === 1 ? 'one thing is wrong' : `${problems} things are wrong`)
  })

const checks: readonly ((evidence: Evidence) => readonly Finding[])[] = [
  checkNodes, checkRouting, checkAccess, checkShards, checkClocks, checkDisks, checkMemory, checkSyncs, checkLoops, checkLogs,
]

export const diagnose = (evidence: Evidence): readonly Finding[] => {
  const broker = checkBroker(evidence)
  if (evidence.second.length > 0) return [...broker, ...checks.flatMap((check) => check(evidence))]
  return [...broker, problem('nodes', `none answers on ${evidence.prefix}.status`,
    'start a cluster with "shardkv start", give the right --prefix, or see whether this user may ask')]
}
