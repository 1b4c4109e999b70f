/** Whose connections run through links: one link for each broker that somebody may dial. Everybody else dials the brokers. */

import { openLink } from '../proxy/link.ts'
import type { Link } from '../proxy/link.ts'
import type { NatsServer } from './natsServer.ts'

export interface Links {
  /** The URLs that this one dials. */
  readonly serversOf: (who: string) => readonly string[]
  /** None where it has no links. */
  readonly of: (who: string) => readonly Link[]
  readonly all: () => readonly Link[]
  /** Opens links for one more; their URLs. */
  readonly add: (who: string) => Promise<readonly string[]>
  readonly close: () => void
}

export const openLinks = async (servers: readonly NatsServer[], linked: readonly string[]): Promise<Links> => {
  const links = new Map<string, readonly Link[]>()
  const serversOf = (who: string): readonly string[] =>
    links.get(who)?.map(({ port }) => `nats://127.0.0.1:${port}`) ?? servers.map(({ url }) => url)
  const add = async (who: string): Promise<readonly string[]> => {
    links.set(who, await Promise.all(servers.map(({ port }, i) => openLink({ name: `${who} to b${i + 1}`, targetPort: port }))))
    return serversOf(who)
  }
  for (const who of linked) await add(who)
  return {
    serversOf,
    add,
    of: (who) => links.get(who) ?? [],
    all: () => [...links.values()].flat(),
    close: () => {
      for (const link of [...links.values()].flat()) link.close()
    },
  }
}
