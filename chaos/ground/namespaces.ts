/**
 * A network of hosts on one machine: each host is a network namespace with an address of its own on one switch (a bridge, in a namespace
 * of its own, too), and what runs on it has a disk that nobody else sees. Whoever opens the network is on the switch as well.
 *
 *   b1  b2  b3  n1  n2  n3        hosts: nothing but eth0 and their own loopback
 *    └───┴───┴─┬─┴───┴───┘
 *            switch ── this process
 *
 * Two hosts that are parted send their frames for each other to an address that nobody has: they vanish in silence, as in a network
 * that lost a path, and no connection is told. A host that is unplugged has no carrier. Needs Linux and the right to make namespaces.
 */

import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { must } from '../../actors/kernel/assert.ts'
import type { ChildProcess } from 'node:child_process'

export interface Network {
  readonly address: (host: string) => string
  readonly run: (host: string, job: Job) => ChildProcess
  /** These two do not hear each other. */
  readonly part: (one: string, other: string) => void
  readonly unplug: (host: string) => void
  /** Every host is plugged in and hears every other. */
  readonly heal: () => void
  readonly stop: () => void
}

export interface Job {
  readonly program: string
  readonly args: readonly string[]
  /** A file descriptor for what it prints. */
  readonly output: number
  /** Where its disk is mounted: the same path everywhere. */
  readonly disk: string
  /** What is copied onto the disk; nothing of `hidden` is seen by the program. */
  readonly from?: string
  readonly hidden: string
}

/** Of the range for benchmarks of networks (RFC 2544): it is no network that anybody has. */
const SUBNETS = 256
const FIRST_HOST = 10
const NOBODY = '02:00:00:00:00:01'
/** In the namespace of the job alone: `ip netns exec` gives it mounts of its own. */
const ON_OWN_DISK = 'set -e; mount -t tmpfs shardkv "$1"; if [ -n "$2" ]; then cp -a "$2"/. "$1"; fi; '
  + 'mount -t tmpfs shardkv "$3"; shift 3; exec "$@"'

export const openNetwork = (hosts: readonly string[]): Network => {
  const name = (host: string): string => `skv${process.pid}-${host}`
  const subnet = `198.18.${process.pid % SUBNETS}`
  const address = (host: string): string => `${subnet}.${FIRST_HOST + hosts.indexOf(host)}`
  const all = [...hosts, 'switch']
  const jobs = new Set<ChildProcess>()
  const stop = (): void => {
    process.removeListener('exit', stop)
    for (const job of jobs) job.kill('SIGKILL')
    // With the switch go its ends of every cable, and so the cables.
    for (const host of all) spawnSync('ip', ['netns', 'delete', name(host)])
  }
  process.once('exit', stop)
  try {
    for (const host of all) ip('netns', 'add', name(host))
    layCables({ hosts, name, address, own: `${subnet}.1` })
  } catch (error) {
    stop()
    throw error
  }
  return {
    address,
    stop,
    run: (host, job) => {
      const child = start(name(host), job)
      jobs.add(child)
      return child
    },
    part: (one, other) => {
      for (const [from, to] of [[one, other], [other, one]] as const) {
        ip('-n', name(from), 'neigh', 'replace', address(to), 'lladdr', NOBODY, 'dev', 'eth0', 'nud', 'permanent')
      }
    },
    unplug: (host) => ip('-n', name('switch'), 'link', 'set', host, 'down'),
    heal: () => {
      for (const host of hosts) {
        ip('-n', name('switch'), 'link', 'set', host, 'up')
        ip('-n', name(host), 'neigh', 'flush', 'dev', 'eth0', 'nud', 'permanent')
      }
    },
  }
}

/** Why there can be no such network here; null: there can. */
export const whyNoNetwork = (): string | null => {
  const probe = `skv${process.pid}-probe`
  try {
    ip('netns', 'add', probe)
    ip('-n', probe, 'link', 'add', 'switch', 'type', 'bridge')
    ip('-n', probe, 'link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'other')
    return null
  } catch (error) {
    return `no network namespaces with bridges and cables: ${error instanceof Error ? error.message : String(error)}; run as root on Linux`
  } finally {
    spawnSync('ip', ['netns', 'delete', probe])
  }
}

interface Cables {
  readonly hosts: readonly string[]
  readonly name: (host: string) => string
  readonly address: (host: string) => string
  /** Of this process. */
  readonly own: string
}

const layCables = ({ hosts, name, address, own }: Cables): void => {
  const onSwitch = (...args: readonly string[]): void => ip('-n', name('switch'), ...args)
  onSwitch('link', 'add', 'bridge', 'type', 'bridge')
  onSwitch('link', 'set', 'bridge', 'up')
  const plugIn = (port: string): void => onSwitch('link', 'set', port, 'master', 'bridge', 'up')
  for (const host of hosts) {
    onSwitch('link', 'add', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name(host))
    plugIn(host)
    ip('-n', name(host), 'address', 'add', `${address(host)}/24`, 'dev', 'eth0')
    for (const device of ['lo', 'eth0']) ip('-n', name(host), 'link', 'set', device, 'up')
  }
  const here = `skv${process.pid}`
  onSwitch('link', 'add', 'here', 'type', 'veth', 'peer', 'name', here, 'netns', String(process.pid))
  plugIn('here')
  ip('address', 'add', `${own}/24`, 'dev', here)
  ip('link', 'set', here, 'up')
}

const start = (namespace: string, { program, args, output, disk, from, hidden }: Job): ChildProcess => {
  mkdirSync(disk, { recursive: true })
  const command = ['netns', 'exec', namespace, 'sh', '-c', ON_OWN_DISK, 'sh', disk, from ?? '', hidden, program, ...args]
  return spawn('ip', command, { stdio: ['ignore', output, output] })
}

const ip = (...args: readonly string[]): void => {
  const { status, stderr, error } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${error?.message ?? must(stderr, 'it says why').trim()}`)
}
