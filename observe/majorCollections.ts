/** The major collections of this process, told soon after each. Wakes nobody. */

import { PerformanceObserver, constants } from 'node:perf_hooks'

/** Ends with the result. */
export const watchMajorCollections = (collected: () => void): (() => void) => {
  const observer = new PerformanceObserver((list) => {
    const collections = list.getEntries() as readonly { readonly detail?: { readonly kind?: number } }[]
    if (collections.some(({ detail }) => detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR)) collected()
  })
  observer.observe({ entryTypes: ['gc'] })
  return () => { observer.disconnect() }
}
