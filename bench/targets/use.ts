/** Targets for the time of a question. */

import { brokerOf } from '../../cli/broker.ts'
import { createLocalFiles } from '../../storage/localFiles.ts'
import { runningProduct, startProduct } from './product.ts'
import type { ClusterFlags } from '../../cli/flags.ts'
import type { DriverName, DriverTarget } from '../drivers/port.ts'
import type { TargetFlags } from '../flags.ts'
import type { ProductTarget, Target } from './port.ts'

const INTERRUPTED = 130

/**
 * Starts them one after the other; whatever happens, Ctrl-C included, all that were started are stopped. A second Ctrl-C ends the bench at
 * once, and its servers with it, but leaves their files.
 */
export const withTargets = async <Started extends Target>(
  starts: readonly (() => Promise<Started>)[], work: (targets: readonly Started[]) => Promise<void>,
): Promise<void> => {
  const targets: Started[] = []
  const stop = async (): Promise<void> => {
    for (const target of targets.splice(0)) await target.stop()
  }
  const interrupt = (): void => {
    process.stderr.write('stopping ...\n')
    stop().finally(() => process.exit(INTERRUPTED)).catch(() => {})
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  try {
    for (const start of starts) targets.push(await start())
    await work([...targets])
  } finally {
    await stop()
    process.removeListener('SIGINT', interrupt)
    process.removeListener('SIGTERM', interrupt)
  }
}

/** A cluster of our own, or the one that `--servers` names. */
export const productOf = ({ servers, ...flags }: TargetFlags) => async (): Promise<ProductTarget> =>
  (servers === undefined ? await startProduct(flags.driver) : runningProduct(await placeOf({ ...flags, servers }), flags.driver))

export const placeOf = async (flags: ClusterFlags): Promise<DriverTarget> => {
  const { servers, ...login } = await brokerOf(flags, createLocalFiles())
  return { servers, prefix: flags.prefix, login }
}

/** A cluster of our own, whose processes are known. */
export const withOwnProduct = (
  { driver }: { readonly driver: DriverName },
  work: (target: ProductTarget) => Promise<void>,
): Promise<void> =>
  withTargets([() => startProduct(driver)], async (targets) => {
    for (const target of targets) await work(target)
  })
