/**
 * Request ids of people's changes say which key was given, and for what (protocol.ts, `keyedRequest`). A key that is given
 * to a second change is a mistake of whoever gives it, and the leader of the meta group says so before the change gets into the log.
 * It is not judged by `apply`, which members of all versions have to decide alike. So of two that are on their way at once both are taken.
 */

import { KEYED_PREFIX } from './protocol.ts'
import type { HistoryEvent } from './clusterState.ts'

/** Another change that was given the key of this request, among those that are remembered. */
export const otherUseOf = (history: readonly HistoryEvent[], request: string): HistoryEvent | undefined => {
  if (!request.startsWith(KEYED_PREFIX)) return undefined
  const ofKey = request.slice(0, request.lastIndexOf(':') + 1)
  return history.findLast((event) => event.request.startsWith(ofKey) && event.request !== request)
}
