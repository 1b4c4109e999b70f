/**
 * Scenarios as stories on the simulator: a calm cluster of real nodes, faults by hand, requests that are awaited
 * in virtual time. Every invariant of the simulator holds throughout; `end` heals everything and asks the
 * replicas to agree.
 */

import { must } from '../../actors/kernel/assert.ts'
import { requestSubject } from '../../bus/subjects.ts'
import { calmOptions } from '../../sim/options.ts'
import { awaitTrue, disagreement } from '../../sim/liveness.ts'
import { createSimulation } from '../../sim/simulation.ts'
import type { Machine } from '../../sim/cluster.ts'
import type { SimOptions } from '../../sim/options.ts'
import type { Simulation } from '../../sim/simulation.ts'

export type Headers = Readonly<Record<string, string>>

export interface Answer {
  /** A `Kv-Status`, or `timeout`, `noResponders`, `closed`. */
  readonly status: string
  readonly definite: boolean
  readonly revision: number
  readonly value: string
}

export interface Pending {
  /** Null while nobody has answered. */
  readonly answer: () => Answer | null
}

export interface Story {
  readonly simulation: Simulation
  readonly nodes: readonly Machine[]
  readonly run: (ms: number) => void
  /** Runs until it holds; fails after `withinMs` of virtual time. */
  readonly until: (what: string, isTrue: () => boolean, withinMs?: number) => void
  /** Runs until somebody leads shard 0 and serves. */
  readonly leader: () => Machine
  readonly followers: () => Machine[]
  readonly send: (op: string, key: string, value?: string, headers?: Headers) => Pending
  readonly request: (op: string, key: string, value?: string, headers?: Headers) => Answer
  /** Requests until it is answered OK. */
  readonly insist: (op: string, key: string, value?: string, headers?: Headers) => Answer
  readonly isolate: (...machines: readonly Machine[]) => void
  readonly heal: () => void
  readonly end: () => void
}

const TIMEOUT_MS = 2_000
const PATIENCE_MS = 30_000
const STEP_MS = 5

export const tellStory = (seed: number, options: Partial<SimOptions> = {}): Story => {
  const simulation = createSimulation({ options: calmOptions(seed, options) })
  const { timeline, cluster, network } = simulation
  const client = cluster.connectClient('c1')
  for (const machine of cluster.machines) cluster.start(machine)

  const check = (): void => {
    const violation = simulation.violation()
    if (violation !== null) throw new Error(`${violation.invariant}: ${violation.text}`)
  }
  const run = (ms: number): void => {
    timeline.runUntil(timeline.now() + ms)
    check()
  }
  const until = (what: string, isTrue: () => boolean, withinMs = PATIENCE_MS): void => {
    const deadline = timeline.now() + withinMs
    while (!isTrue()) {
      if (timeline.now() > deadline) throw new Error(`${what}: not within ${withinMs} virtual milliseconds`)
      run(STEP_MS)
    }
  }
  const serving = (): Machine | undefined => cluster.machines.find(({ node, process }) =>
    process.state === 'running' && node?.parts()?.host.all().some(({ actor }) => actor.status().serving))
  const leader = (): Machine => {
    until('a leader serves', () => serving() !== undefined)
    return must(serving(), 'somebody serves')
  }
  const send = (op: string, key: string, value = '', headers: Headers = {}): Pending => {
    let answer: Answer | null = null
    const built = requestSubject('kv', op, key)
    const options = { timeoutMs: TIMEOUT_MS, headers: new Map(Object.entries(headers)) }
    client.bus.request(built.ok ? built.subject : '', new TextEncoder().encode(value), options, (failure, message) => {
      answer = {
        status: failure ?? message?.headers?.get('Kv-Status') ?? '',
        definite: failure === 'noResponders' || message?.headers?.get('Kv-Definite') === 'true',
        revision: Number(message?.headers?.get('Kv-Revision') ?? 0),
        value: message === null ? '' : new TextDecoder().decode(message.data),
      }
    })
    return { answer: () => answer }
  }
  const request: Story['request'] = (...args) => {
    const pending = send(...args)
    until('an answer', () => pending.answer() !== null)
    return must(pending.answer(), 'there is an answer')
  }
  return {
    simulation,
    nodes: cluster.machines,
    run,
    until,
    leader,
    followers: () => cluster.machines.filter((machine) => machine !== leader()),
    send,
    request,
    insist: (...args) => {
      let answer = request(...args)
      until('an OK', () => {
        if (answer.status !== 'OK') answer = request(...args)
        return answer.status === 'OK'
      })
      return answer
    },
    isolate: (...machines) => {
      const names: ReadonlySet<string> = new Set(machines.map(({ id }) => id))
      const sideOf = (endpoint: string): string => (endpoint.startsWith('c') ? 'client' : String(names.has(endpoint.split('/')[0] ?? '')))
      network.cut((from, to) => sideOf(from) !== 'client' && sideOf(to) !== 'client' && from.split('/')[0] !== to.split('/')[0]
        && (sideOf(from) !== sideOf(to)))
    },
    heal: network.heal,
    end: () => {
      network.heal()
      for (const machine of cluster.machines) {
        cluster.resume(machine)
        if (machine.node === null) cluster.start(machine)
      }
      awaitTrue(simulation, {
        withinMs: PATIENCE_MS, isTrue: () => disagreement(simulation, cluster.machines) === null,
        problem: () => disagreement(simulation, cluster.machines) ?? '',
      })
      check()
    },
  }
}
