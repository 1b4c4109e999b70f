/** The driver of a name. Each is loaded only where it is asked for, so that no client carries the code of another. */

import type { Driver, DriverName, DriverTarget } from './port.ts'

type Connect = (target: DriverTarget) => Promise<Driver>

const loaders: Readonly<Record<DriverName, () => Promise<Connect>>> = {
  sdk: async () => (await import('./sdk.ts')).connectSdk,
  batch: async () => (await import('./batchDoor.ts')).connectBatchDoor,
  requests: async () => (await import('./requests.ts')).connectRequests,
  floor: async () => (await import('../floor/client.ts')).connectFloor,
}

export const connectDriver = async (name: DriverName, target: DriverTarget): Promise<Driver> => {
  const connect = await loaders[name]()
  return await connect(target)
}
