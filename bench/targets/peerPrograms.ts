/**
 * The peers' programs, built from bench/peers into the user's cache by the Go that is there: etcd's server, and a measuring client for each
 * peer. Nothing of it is committed or shipped; go.sum pins what is built.
 */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createMachineHost, findInPath } from '../../topology/launcher/machineHost.ts'
import { cacheFolder } from '../../topology/launcher/natsServer.ts'

export interface PeerPrograms {
  readonly etcdServer: string
  readonly etcdClient: string
  readonly jetStreamClient: string
}

const SOURCES = fileURLToPath(new URL('../../../bench/peers/', import.meta.url))
const BUILD_WITHIN_MS = 1_200_000

/** Throws with what to do when they can not be built. */
export const buildPeerPrograms = async (): Promise<PeerPrograms> => {
  const host = createMachineHost()
  if (await findInPath(host, 'go') === undefined) {
    throw new Error('the peers are built with Go, which is not installed: get it from https://go.dev/dl, then ask again')
  }
  if (await host.files.facts(join(SOURCES, 'go.mod')) === null) throw new Error('the peers are only in a checkout of the repository')
  const bin = join(cacheFolder(host), 'peers')
  await host.files.makeDirectory(bin)
  process.stderr.write('building the peers (the first time takes minutes) ...\n')
  const { code, output } = await host.run('go', ['install', './...'], {
    timeoutMs: BUILD_WITHIN_MS, directory: SOURCES, env: { GOBIN: bin, GOFLAGS: '-buildvcs=false', CGO_ENABLED: '0' },
  })
  if (code !== 0) throw new Error(`the peers do not build:\n${output}`)
  return {
    etcdServer: join(bin, 'etcdserver'), etcdClient: join(bin, 'etcdclient'), jetStreamClient: join(bin, 'jetstream'),
  }
}

/** What etcd's server says it is: `3.7.3`. */
export const etcdVersion = async ({ etcdServer }: PeerPrograms): Promise<string> => {
  const { output } = await createMachineHost().run(etcdServer, ['--version'], { timeoutMs: 10_000 })
  return /etcd Version: (\S+)/.exec(output)?.[1] ?? 'unknown'
}
