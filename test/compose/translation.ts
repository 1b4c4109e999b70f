/**
 * What stands in compose.yaml and in the files that it mounts, in words of this machine: paths below one folder, names of hosts as the
 * loopback address, ports as they are given here.
 */

import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { must } from '../../actors/kernel/assert.ts'
import { mountsOf } from './composeFile.ts'
import type { ComposeFile, Service } from './composeFile.ts'

/** A word, or the text of a file, of this service. */
export type Translate = (text: string) => string

export interface Addresses {
  readonly services: ComposeFile['services']
  /** Those that run here: an alias stands for all of these that have it. */
  readonly running: readonly string[]
  /** By `service:port inside`. */
  readonly ports: ReadonlyMap<string, number>
}

const HERE = '127.0.0.1'
const ownAddresses = ['0.0.0.0', HERE]
const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&')
const oneOf = (texts: readonly string[]): string => texts.toSorted((a, b) => b.length - a.length).map(escaped).join('|')
const aliasesOf = ({ networks }: Service): readonly string[] => networks?.['default']?.aliases ?? []

export const portHere = ({ ports }: Addresses, name: string, inside: string | number): number =>
  must(ports.get(`${name}:${inside}`), `a port for ${name}:${inside}`)

/**
 * `paths` are those of the container that are elsewhere here. They come last, so that no path of this machine is taken for one of the
 * container's.
 */
export const translation = (name: string, addresses: Addresses, paths: ReadonlyMap<string, string>): Translate => {
  const { services, running, ports } = addresses
  const byAlias = (alias: string) => running.filter((each) => aliasesOf(must(services[each], each)).includes(alias))
  const aliases = [...new Set(Object.values(services).flatMap(aliasesOf))]
  const pooled = new RegExp(`(\\w+://)(${oneOf(aliases)}):(\\d+)`, 'g')
  const addressed = new RegExp(`(?<![\\w.-])(${oneOf([...ownAddresses, ...Object.keys(services)])}):(\\d+)\\b`, 'g')
  const placed = paths.size === 0 ? /$^/g : new RegExp(`(?<![\\w./-])(${oneOf([...paths.keys()])})(?![\\w.-])`, 'g')
  return (text) => ports.has(`${name}:${text}`)
    ? String(portHere(addresses, name, text))
    : text
      .replaceAll(pooled, (_, scheme: string, alias: string, port: string) =>
        byAlias(alias).map((each) => `${scheme}${each}:${port}`).join(','))
      .replaceAll(addressed, (_, host: string, port: string) =>
        `${HERE}:${portHere(addresses, ownAddresses.includes(host) ? name : host, port)}`)
      .replaceAll(placed, (path) => must(paths.get(path), path))
}

/** Files of a container's image that compose.yaml names: where they are here, by their path there. */
export type ImageFiles = Readonly<Record<string, string>>

/** Where the paths of a service's container are: each below `root`, volumes beside them, since services share those. */
export const pathsBelow = (root: string, name: string, service: Service, files: ImageFiles): ReadonlyMap<string, string> => {
  const own = [...Object.keys(files), ...service.tmpfs ?? [], ...(service.configs ?? []).map((config) => `/${config}`)]
  // A folder may be named in which no more than files are mounted.
  const folders = mountsOf(service).filter(({ source }) => isOurs(source)).map(({ target }) => dirname(target))
  return new Map([
    ...[...own, ...folders].map((path) => [path, join(root, name, path)] as const),
    ...mountsOf(service).map(({ source, target }) =>
      [target, isOurs(source) ? join(root, name, target) : join(root, 'volumes', source)] as const),
  ])
}

/** Files that are mounted are copied, translated; volumes and tmpfs are empty folders at first. */
export const fillPaths = (
  paths: ReadonlyMap<string, string>, { services, configs }: ComposeFile, name: string, files: ImageFiles, translate: Translate,
): void => {
  const service = must(services[name], name)
  const here = (path: string): string => must(paths.get(path), path)
  for (const { source, target } of mountsOf(service)) {
    if (isOurs(source)) copyTranslated(source, here(target), translate)
    else mkdirSync(here(target), { recursive: true })
  }
  for (const path of service.tmpfs ?? []) mkdirSync(here(path), { recursive: true })
  for (const config of service.configs ?? []) write(here(`/${config}`), must(configs[config], config).content)
  for (const [path, source] of Object.entries(files)) copyTranslated(source, here(path), translate)
}

/** Of this repository, and no volume. */
const isOurs = (source: string): boolean => source.startsWith('./')

const copyTranslated = (from: string, to: string, translate: Translate): void => {
  if (statSync(from).isDirectory()) for (const each of readdirSync(from)) copyTranslated(join(from, each), join(to, each), translate)
  else write(to, translate(readFileSync(from, 'utf8')))
}

const write = (path: string, text: string): void => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
