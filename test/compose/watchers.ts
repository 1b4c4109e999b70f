/**
 * What compose.yaml runs to watch the nodes, where an environment variable names its program: nobody installs these for a test. They
 * listen at their own ports, as in their containers, but on loopback alone.
 */

import { dirname } from 'node:path'
import type { Program } from './outside.ts'

interface Watcher {
  /** Of the environment: the path of the program. */
  readonly variable: string
  readonly ports: readonly number[]
  readonly program: (here: string) => Program
}

/** What each image has, by its own Dockerfile; and what keeps it on loopback. */
const watchers: Readonly<Record<string, Watcher>> = {
  prometheus: {
    variable: 'SHARDKV_PROMETHEUS',
    ports: [9_090],
    program: (here) => ({ inImage: '/bin/prometheus', here, last: ['--web.listen-address=127.0.0.1:9090'] }),
  },
  jaeger: {
    variable: 'SHARDKV_JAEGER',
    ports: [4_317, 13_133, 16_686],
    // The image's says 0.0.0.0.
    program: (here) => ({ inImage: '/cmd/jaeger/jaeger-linux', here, environment: { JAEGER_LISTEN_HOST: '127.0.0.1' } }),
  },
  loki: {
    variable: 'SHARDKV_LOKI',
    ports: [3_100],
    program: (here) => ({
      inImage: '/usr/bin/loki', here, last: ['-server.http-listen-address=127.0.0.1', '-server.grpc-listen-address=127.0.0.1'],
      files: { '/etc/loki/local-config.yaml': process.env['SHARDKV_LOKI_CONFIG'] ?? '' },
    }),
  },
  grafana: {
    variable: 'SHARDKV_GRAFANA',
    ports: [3_000],
    // As the image's /run.sh calls it, below the folder that it is installed in.
    program: (here) => ({
      inImage: '/run.sh', here, first: ['server', `--homepath=${dirname(dirname(here))}`],
      last: [
        'cfg:default.log.mode=console', 'cfg:default.paths.data=/var/lib/grafana',
        'cfg:default.paths.provisioning=/etc/grafana/provisioning',
      ],
      environment: { GF_SERVER_HTTP_ADDR: '127.0.0.1' },
    }),
  },
}

const pathOf = ({ variable }: Watcher): string => process.env[variable] ?? ''

/** By service: those that can be run here. */
export const watcherPrograms = (): Readonly<Record<string, Program>> => Object.fromEntries(
  Object.entries(watchers).filter(([, each]) => pathOf(each) !== '').map(([name, each]) => [name, each.program(pathOf(each))]))

export const watcherPorts = (): ReadonlyMap<string, number> => new Map(
  Object.entries(watchers).flatMap(([name, { ports }]) => ports.map((port) => [`${name}:${port}`, port] as const)))

/** Why a service is not run here; null: it is. */
export const whyNot = (name: string): string | null => {
  const { [name]: watcher } = watchers
  if (watcher === undefined) return `${name} is nothing that this test knows`
  return pathOf(watcher) === '' ? `${watcher.variable} names no program` : null
}
