/**
 * Beacons and the failure detector leave by a connection that answers to whoever may publish leave by, too. A node that can not send its
 * beacons is taken for lost, and a thousand questions in one packet would fill the connection. So answers have a share of what it may hold.
 */

import type { Bus } from './port.ts'

const ANSWERS_SHARE = 0.25

/** Below it clients are answered. */
export const hasAnswerRoom = (bus: Pick<Bus, 'status'>): boolean => {
  const { outstandingBytes, outstandingBytesMax } = bus.status()
  return outstandingBytes <= outstandingBytesMax * ANSWERS_SHARE
}
