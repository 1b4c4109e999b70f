/** What compose.yaml runs by default, with the programs that this machine has for it: the brokers, `init` and the nodes. */

import { builtFile } from '../../chaos/ground/checkout.ts'
import { natsServerPath } from '../../chaos/ground/natsServer.ts'
import { freePort } from '../../bench/targets/freePorts.ts'
import { readCompose } from './composeFile.ts'
import type { Service } from './composeFile.ts'
import type { Program } from './outside.ts'

const BROKER_PORTS = [4_222, 6_222, 8_222]
const NODE_PORTS = [8_480]

const namesOf = (is: (service: Service) => boolean): readonly string[] =>
  Object.entries(readCompose().services).filter(([, service]) => is(service)).map(([name]) => name)
const isBroker = ({ image }: Service): boolean => image.startsWith('nats:')

export const brokerNames = (): readonly string[] => namesOf(isBroker)
export const nodeNames = (): readonly string[] => namesOf(({ command }) => command?.[0] === 'node')

export const ourPrograms = (names: readonly string[]): Readonly<Record<string, Program>> => {
  const broker: Program = { inImage: 'nats-server', here: natsServerPath() }
  const shardkv: Program = { inImage: '/nodejs/bin/node', here: process.execPath, first: [builtFile('cli/entry.js')] }
  const brokers = brokerNames()
  return Object.fromEntries(names.map((name) => [name, brokers.includes(name) ? broker : shardkv]))
}

/** A free one for each of theirs, by `service:port inside`. */
export const portsOfOurs = async (): Promise<Map<string, number>> => {
  const inside = (ports: readonly number[]) => (name: string) => ports.map((port) => `${name}:${port}`)
  const wanted = [...brokerNames().flatMap(inside(BROKER_PORTS)), ...nodeNames().flatMap(inside(NODE_PORTS))]
  const found = new Map<string, number>()
  for (const each of wanted) found.set(each, await freePort())
  return found
}
