/**
 * Services of compose.yaml, run on this machine without an engine: the command lines, environments, mounted files and health checks that
 * stand there. Only what containers keep apart is another (translation.ts).
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { must } from '../../actors/kernel/assert.ts'
import { readCompose } from './composeFile.ts'
import { fillPaths, pathsBelow, portHere, translation } from './translation.ts'
import type { ChildProcess } from 'node:child_process'
import type { ComposeFile, Service } from './composeFile.ts'
import type { Addresses, Translate } from './translation.ts'

const AWAITED_MS_MAX = 120_000
const POLL_MS = 100
/** Of each service: what it said last. */
const OUTPUT_CHARACTERS = 1_000

/** The program of a service, and what its image adds to compose.yaml. */
export interface Program {
  /** Its path in the image. */
  readonly inImage: string
  readonly here: string
  /** What stands before the service's command, in words of this machine. */
  readonly first?: readonly string[]
  /** What stands after it, and in its environment, in words of the container. */
  readonly last?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Files of the image that compose.yaml names: where they are here, by their path there. */
  readonly files?: Readonly<Record<string, string>>
}

export interface OutsideOptions {
  readonly variables?: Readonly<Record<string, string>>
  /** By service: those that can be run. */
  readonly programs: Readonly<Record<string, Program>>
  /** By `service:port inside`. */
  readonly ports: ReadonlyMap<string, number>
}

export interface Ended {
  readonly status: number | null
  readonly stderr: string
}

export interface Outside {
  readonly compose: ComposeFile
  readonly portOf: (name: string, inside: number) => number
  /** Runs it to its end: with its own command, or with these words beside it. */
  readonly run: (name: string, ...words: readonly string[]) => Ended
  readonly start: (name: string) => void
  readonly processOf: (name: string) => ChildProcess
  /** The exit code of its check, as an engine runs it. */
  readonly health: (name: string) => number | null
  readonly until: (what: string, holds: () => boolean | Promise<boolean>) => Promise<void>
  /** SIGKILL for all that still run. */
  readonly stop: () => Promise<void>
}

interface Container {
  readonly service: Service
  readonly program: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly translate: Translate
}

export const openOutside = ({ variables = {}, programs, ports }: OutsideOptions): Outside => {
  const compose = readCompose(variables)
  const root = mkdtempSync(join(tmpdir(), 'shardkv-compose-'))
  const addresses = { services: compose.services, running: Object.keys(programs), ports }
  const containers = new Map(Object.entries(programs).map(([name, program]) => [name, contain(root, name, program, compose, addresses)]))
  const of = (name: string): Container => must(containers.get(name), `a program for ${name}`)
  const children = new Map<string, ChildProcess>()
  const output = new Map<string, string>()
  const note = (name: string, text: string): void => {
    output.set(name, `${output.get(name) ?? ''}${text}`.slice(-OUTPUT_CHARACTERS))
  }

  return {
    compose,
    portOf: (name, inside) => portHere(addresses, name, inside),
    run: (name, ...words) => {
      const { program, args, env } = of(name)
      return spawnSync(program, [...words, ...args], { encoding: 'utf8', env })
    },
    start: (name) => {
      const { program, args, env } = of(name)
      const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
      child.on('error', ({ message }) => note(name, message))
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => note(name, chunk.toString()))
      children.set(name, child)
    },
    processOf: (name) => must(children.get(name), `a process of ${name}`),
    health: (name) => healthOf(name, of(name)),
    until: async (what, holds) => {
      const deadline = performance.now() + AWAITED_MS_MAX
      while (!await holds()) {
        if (performance.now() > deadline) throw new Error(`waited in vain until ${what}:\n${[...output].flat().join('\n')}`)
        await pause(POLL_MS)
      }
    },
    stop: async () => {
      await Promise.all([...children.values()].filter(isRunning).map(async (child) => {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }))
      rmSync(root, { recursive: true, force: true })
    },
  }
}

const isRunning = ({ pid, exitCode, signalCode }: ChildProcess): boolean => pid !== undefined && exitCode === null && signalCode === null

const contain = (root: string, name: string, program: Program, compose: ComposeFile, addresses: Addresses): Container => {
  const service = must(compose.services[name], `the service ${name}`)
  const { inImage, here, first = [], last = [], environment = {}, files = {} } = program
  const paths = pathsBelow(root, name, service, files)
  const translate = translation(name, addresses, new Map([...paths, [inImage, here]]))
  fillPaths(paths, compose, name, files, translate)
  const given = Object.entries({ ...service.environment, ...environment }).filter((each): each is [string, string] => each[1] !== null)
  const env = { PATH: process.env['PATH'], ...Object.fromEntries(given.map(([key, value]) => [key, translate(value)])) }
  return { service, program: here, args: [...first, ...[...service.command ?? [], ...last].map(translate)], env, translate }
}

const healthOf = (name: string, { service, translate }: Container): number | null => {
  const [kind, ...words] = must(service.healthcheck, `a check of ${name}`).test
  if (kind !== 'CMD') throw new Error(`the check of ${name} is a ${kind}: not run here`)
  const [program = '', ...args] = words.map(translate)
  const isMissing = program === 'wget' && !hasWget
  return spawnSync(isMissing ? process.execPath : program, isMissing ? asking(args) : args, { env: { PATH: process.env['PATH'] } }).status
}

const hasWget = spawnSync('wget', ['--help']).status === 0
/** Where there is no wget: the same question, asked by Node. */
const asking = (args: readonly string[]): readonly string[] =>
  ['-e', `fetch('${args.at(-1)}').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`]
