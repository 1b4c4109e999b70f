/**
 * A failed sync of the log is never tried again (docs/TESTING.md T17): the next one succeeds and writes nothing, so whatever a life syncs
 * of that file afterwards it takes for durable, and it is not. Judged at the disk, when it is asked: what is lost by it shows only after a
 * power loss, and not at all where a later write has dirtied the same pages again.
 */

import type { Machine } from '../cluster.ts'
import type { Problem } from '../view.ts'

export const SYNCED_ONCE = 'a failed sync is never tried again'

export const checkSyncedOnce = ({ id, disk }: { readonly id: string; readonly disk: Pick<Machine['disk'], 'triedAgain'> }): Problem => {
  const path = disk.triedAgain()
  return path === null ? null : `${id} synced ${path} again after a sync of it had failed`
}
