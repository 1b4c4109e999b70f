/**
 * The node processes of one cluster, from the built command line: started, signalled, killed, given orders, and reaped at the latest
 * with the process that started them. What they print goes to one log file a node.
 *
 * Haunted ones run another build (hauntedBuild.ts), and take orders over Node's own channel.
 */

import { spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { builtFile } from './checkout.ts'
import { limitOpenFiles } from './openFiles.ts'
import type { ChildProcess } from 'node:child_process'
import type { NodeId } from '../../topology/ids.ts'
import type { Order } from '../inside/orders.ts'
import type { OtherBuild } from './hauntedBuild.ts'

export interface NodeProcesses {
  readonly start: (node: NodeId) => void
  /** Which build the node is started with from now on: today's, or the next one, where there is one. */
  readonly runAs: (node: NodeId, build: 'today' | 'next') => void
  /** SIGKILL, and waits until the process is gone. */
  readonly kill: (node: NodeId) => Promise<void>
  readonly signal: (node: NodeId, name: NodeJS.Signals) => void
  readonly isRunning: (node: NodeId) => boolean
  readonly exitCode: (node: NodeId) => number | null
  /** The code with which it ends by itself, or null when it has not after `withinMs`. */
  readonly ended: (node: NodeId, withinMs: number) => Promise<number | null>
  /** Only where nodes are haunted. */
  readonly order: (node: NodeId, order: Order) => void
  /** Sets the soft limit of open files of the running process; throws where it can not be set. */
  readonly limitFiles: (node: NodeId, limit: number) => void
  /** Of all its processes. */
  readonly log: (node: NodeId) => string
  /** Of the newest one. */
  readonly logOfLife: (node: NodeId) => string
  readonly command: (args: readonly string[], env: NodeJS.ProcessEnv) => CliProcess
  readonly stop: () => Promise<void>
}

export interface CliProcess {
  readonly child: ChildProcess
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>
}

export interface NodeProcessesOptions {
  readonly root: string
  readonly serversOf: (node: NodeId) => readonly string[]
  readonly environmentOf: (node: NodeId) => NodeJS.ProcessEnv
  /** Started with `--join`. */
  readonly asksToJoin: (node: NodeId) => boolean
  /** Null: as they are. */
  readonly haunted: OtherBuild | null
  /** The build of the next layout level, or null. */
  readonly next: OtherBuild | null
}

const CLI = builtFile('cli/entry.js')

export const createNodeProcesses = (options: NodeProcessesOptions): NodeProcesses => {
  const { root } = options
  const upgraded = new Set<NodeId>()
  const children = new Map<NodeId, ChildProcess>()
  const commands = new Set<ChildProcess>()
  /** Where in the log of a node its newest process begins, in bytes. */
  const lifeBegins = new Map<NodeId, number>()
  const logPath = (node: NodeId): string => join(root, `${node}.log`)
  const isAlive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null
  const kill = async (node: NodeId): Promise<void> => {
    const child = children.get(node)
    if (child === undefined || !isAlive(child)) return
    const gone = new Promise<void>((resolve) => { child.once('exit', () => resolve()) })
    child.kill('SIGKILL')
    await gone
  }
  const reap = (): void => {
    for (const child of [...children.values(), ...commands]) child.kill('SIGKILL')
  }
  process.once('exit', reap)
  return {
    runAs: (node, build) => {
      if (build === 'next') upgraded.add(node)
      else upgraded.delete(node)
    },
    start: (node) => {
      const build = upgraded.has(node) ? options.next : options.haunted
      const inside = build?.inside ?? null
      const output = openSync(logPath(node), 'a')
      lifeBegins.set(node, fstatSync(output).size)
      const args = [
        build?.cli ?? CLI, 'node', ...(options.asksToJoin(node) ? ['--join'] : []),
        '--id', node, '--dir', join(root, node), '--servers', options.serversOf(node).join(','),
      ]
      children.set(node, spawn(process.execPath, [...(inside === null ? [] : ['--import', pathToFileURL(inside).href]), ...args], {
        stdio: ['ignore', output, output, ...(inside === null ? [] : ['ipc' as const])],
        env: options.environmentOf(node),
      }))
      closeSync(output)
    },
    kill,
    signal: (node, name) => { children.get(node)?.kill(name) },
    isRunning: (node) => {
      const child = children.get(node)
      return child !== undefined && isAlive(child)
    },
    exitCode: (node) => children.get(node)?.exitCode ?? null,
    ended: (node, withinMs) => endOf(children.get(node), withinMs),
    order: (node, order) => {
      const child = children.get(node)
      if (child?.connected === true) child.send(order)
    },
    limitFiles: (node, limit) => {
      const pid = children.get(node)?.pid
      if (pid !== undefined) limitOpenFiles(pid, limit)
    },
    log: (node) => readFileSync(logPath(node), 'utf8'),
    logOfLife: (node) => readFileSync(logPath(node)).toString('utf8', lifeBegins.get(node)),
    command: (args, env) => {
      const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env })
      commands.add(child)
      return { child, ended: outcomeOf(child).finally(() => { commands.delete(child) }) }
    },
    stop: async () => {
      process.removeListener('exit', reap)
      for (const child of commands) child.kill('SIGKILL')
      await Promise.all([...children.keys()].map(kill))
    },
  }
}

const endOf = (child: ChildProcess | undefined, withinMs: number): Promise<number | null> => new Promise((resolve) => {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
    resolve(child?.exitCode ?? null)
    return
  }
  const over = (): void => {
    clearTimeout(timer)
    child.removeListener('exit', over)
    resolve(child.exitCode)
  }
  const timer = setTimeout(over, withinMs)
  child.once('exit', over)
})

const outcomeOf = (child: ChildProcess): CliProcess['ended'] => new Promise((resolve) => {
  let out = ''
  let err = ''
  child.stdout?.on('data', (chunk: Buffer) => { out += chunk.toString() })
  child.stderr?.on('data', (chunk: Buffer) => { err += chunk.toString() })
  child.once('close', (code) => resolve({ code, out, err }))
})
