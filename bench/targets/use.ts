/** Targets for the time of a question. */

import { runningProduct, startProduct } from './product.ts'
import type { TargetFlags } from '../flags.ts'
import type { ProductTarget, Target } from './port.ts'

/** Starts them one after the other; whatever happens, all that were started are stopped. */
export const withTargets = async <Started extends Target>(
  starts: readonly (() => Promise<Started>)[], work: (targets: readonly Started[]) => Promise<void>,
): Promise<void> => {
  const targets: Started[] = []
  try {
    for (const start of starts) targets.push(await start())
    await work(targets)
  } finally {
    for (const target of targets) await target.stop()
  }
}

/** A cluster of our own, or the one that `--servers` names. */
export const productOf = ({ servers, prefix, driver }: TargetFlags) => async (): Promise<ProductTarget> =>
  (servers === undefined ? await startProduct(driver) : runningProduct(servers, prefix, driver))

export const withProduct = (flags: TargetFlags, work: (target: ProductTarget) => Promise<void>): Promise<void> =>
  withTargets([productOf(flags)], async (targets) => {
    for (const target of targets) await work(target)
  })
