/** The driver of a name. */

import { connectFloor } from '../floor/client.ts'
import { connectBatchDoor } from './batchDoor.ts'
import { connectRequests } from './requests.ts'
import { connectSdk } from './sdk.ts'
import type { Driver, DriverName, DriverTarget } from './port.ts'

const connectors: Readonly<Record<DriverName, (target: DriverTarget) => Promise<Driver>>> = {
  sdk: connectSdk,
  batch: connectBatchDoor,
  requests: connectRequests,
  floor: connectFloor,
}

export const connectDriver = (name: DriverName, target: DriverTarget): Promise<Driver> => connectors[name](target)
