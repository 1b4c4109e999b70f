/**
 * nats-server from its GitHub release. The usual version is fixed here; the archive's checksum is taken from the SHA256SUMS file of
 * that same release, over https. That protects against a damaged or exchanged mirror of the archive, not against a changed release:
 * whoever needs that installs nats-server by their own means and names it in SHARDKV_NATS_SERVER.
 */

import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import type { MachineHost } from './machineHost.ts'

/** A line with long maintenance whose known authentication bypasses are fixed (2.12.7). */
export const NATS_SERVER_VERSION = '2.12.15'

const releaseUrl = (version: string): string => `https://github.com/nats-io/nats-server/releases/download/v${version}`
const SUMS_TIMEOUT_MS = 5_000
const SUMS_BYTES_MAX = 64 * 1024
const ARCHIVE_TIMEOUT_MS = 120_000
const ARCHIVE_BYTES_MAX = 64 * 1024 * 1024
const UNPACKED_BYTES_MAX = 256 * 1024 * 1024
const TAR_BLOCK_BYTES = 512

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm7', ia32: '386' }

/** The release's archive for a platform; undefined when it has none that this code unpacks. */
export const archiveName = (platform: string, arch: string, version: string): string | undefined => {
  const architecture = architectures[arch]
  if ((platform !== 'linux' && platform !== 'darwin') || architecture === undefined) return undefined
  return `nats-server-v${version}-${platform}-${architecture}.tar.gz`
}

/** The program's bytes, checked; throws with the reason otherwise. */
export const downloadNatsServer = async (host: MachineHost, version: string): Promise<Uint8Array> => {
  const name = archiveName(host.platform, host.arch, version)
  if (name === undefined) throw new Error(`no release for ${host.platform} ${host.arch}`)
  const sums = await host.download(`${releaseUrl(version)}/SHA256SUMS`, { timeoutMs: SUMS_TIMEOUT_MS, bytesMax: SUMS_BYTES_MAX })
  const expected = checksumOf(new TextDecoder().decode(sums), name)
  if (expected === undefined) throw new Error(`the release's SHA256SUMS does not list ${name}`)
  const archive = await host.download(`${releaseUrl(version)}/${name}`, { timeoutMs: ARCHIVE_TIMEOUT_MS, bytesMax: ARCHIVE_BYTES_MAX })
  const actual = createHash('sha256').update(archive).digest('hex')
  if (actual !== expected) throw new Error(`${name} has checksum ${actual}, the release says ${expected}`)
  const program = fileInTar(gunzipSync(archive, { maxOutputLength: UNPACKED_BYTES_MAX }), 'nats-server')
  if (program === undefined) throw new Error(`${name} holds no nats-server`)
  return program
}

/** From lines of `<64 hex digits>  <name>`. */
export const checksumOf = (sums: string, name: string): string | undefined => {
  for (const line of sums.split('\n')) {
    const [checksum, file] = line.trim().split(/\s+\*?/)
    if (file === name && checksum !== undefined && /^[0-9a-f]{64}$/.test(checksum)) return checksum
  }
  return undefined
}

/** The regular file whose last path segment is `name` (POSIX ustar: 512-byte headers, sizes in octal). */
export const fileInTar = (tar: Uint8Array, name: string): Uint8Array | undefined => {
  let at = 0
  while (at + TAR_BLOCK_BYTES <= tar.length) {
    const path = textOf(tar, at, 100)
    const size = Number.parseInt(textOf(tar, at + 124, 12).trim() || '0', 8)
    const kind = textOf(tar, at + 156, 1)
    const body = at + TAR_BLOCK_BYTES
    if (!Number.isSafeInteger(size) || size < 0 || body + size > tar.length) return undefined
    if ((kind === '0' || kind === '') && path.split('/').at(-1) === name) return tar.subarray(body, body + size)
    at = body + Math.ceil(size / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES
  }
  return undefined
}

const textOf = (bytes: Uint8Array, from: number, length: number): string => {
  const field = bytes.subarray(from, from + length)
  const end = field.indexOf(0)
  return new TextDecoder().decode(end === -1 ? field : field.subarray(0, end))
}
