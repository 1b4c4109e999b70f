/** The supervisor's chart over its core: who is started, restarted, given up and stopped, in virtual time. */

import { describe, expect, test } from '@jest/globals'
import { createShell } from '../../../actors/kernel/shell.ts'
import { HAS_LEFT } from '../../../actors/node/protocol.ts'
import { supervisorMachine } from '../../../topology/launcher/machine.ts'
import {
  BACKOFF_MS_MAX, BACKOFF_MS_MIN, BROKER_STOP_MS_MAX, NODE_DRAIN_MS_MAX, STABLE_MS, START_ATTEMPTS_MAX, backoffMs, createSupervision,
} from '../../../topology/launcher/supervision.ts'
import type { ChildSpec, SupervisorEffect } from '../../../topology/launcher/protocol.ts'

const broker: ChildSpec = { name: 'nats-server', kind: 'broker' }
const nodes = (count: number): ChildSpec[] =>
  Array.from({ length: count }, (_, i) => ({ name: `n${i + 1}`, kind: 'node', home: `/data/n${i + 1}` }))

const supervise = (specs: readonly ChildSpec[]) => {
  const core = createSupervision(specs)
  const done: SupervisorEffect[] = []
  let now = 1_000
  const shell = createShell({
    machine: supervisorMachine,
    input: { core },
    effects: core.effects,
    perform: (effect: SupervisorEffect) => { done.push(effect) },
    onFailure: (error) => { throw error },
  })
  const take = (): string[] => done.splice(0).map((effect) => {
    if (effect.type === 'supervisor.say') return `say ${effect.text}`
    if (effect.type === 'supervisor.signal') return `${effect.signal} ${effect.name}`
    if (effect.type === 'supervisor.exit') return `exit ${effect.code}`
    return effect.type === 'supervisor.spawn' ? `spawn ${effect.name}` : 'announce'
  })
  return {
    take,
    state: () => shell.state(),
    pass: (ms: number) => { now += ms; shell.send({ type: 'tick', now }) },
    ready: (...names: string[]) => { for (const name of names) shell.send({ type: 'supervisor.ready', name, now }) },
    exit: (name: string, code: number | null = 1, reason = '') =>
      shell.send({ type: 'supervisor.exited', name, code, signal: code === null ? 'SIGKILL' : null, reason, now }),
    stop: () => shell.send({ type: 'supervisor.stop', now }),
  }
}

const running = (count = 3) => {
  const cluster = supervise([broker, ...nodes(count)])
  cluster.ready('nats-server', ...nodes(count).map(({ name }) => name))
  cluster.take()
  return cluster
}

describe('starting', () => {
  test('the broker comes first, then all nodes, then the announcement', () => {
    const cluster = supervise([broker, ...nodes(3)])
    expect(cluster.take()).toEqual(['spawn nats-server'])
    cluster.ready('nats-server')
    expect(cluster.take()).toEqual(['spawn n1', 'spawn n2', 'spawn n3'])
    cluster.ready('n1', 'n2')
    expect(cluster.take()).toEqual([])
    cluster.ready('n3')
    expect(cluster.take()).toEqual(['announce'])
    expect(cluster.state()).toBe('ready')
  })

  test('with a broker of somebody else the nodes start at once', () => {
    expect(supervise(nodes(2)).take()).toEqual(['spawn n1', 'spawn n2'])
  })

  test('a broker that can not start ends the launcher with code 1 and the reason', () => {
    const cluster = supervise([broker, ...nodes(3)])
    cluster.take()
    cluster.exit('nats-server', 1, 'address already in use')
    const effects = cluster.take()
    expect(effects[0]).toContain('address already in use')
    expect(effects.at(-1)).toBe('exit 1')
    expect(cluster.state()).toBe('stopped')
  })

  test('one node of three that refuses its configuration leaves the other two serving', () => {
    const cluster = supervise([broker, ...nodes(3)])
    cluster.ready('nats-server')
    cluster.exit('n2', 78, 'another process holds the directory')
    cluster.ready('n1', 'n3')
    cluster.pass(BACKOFF_MS_MAX * 10)
    const effects = cluster.take()
    expect(effects).toContain('announce')
    expect(effects.filter((effect) => effect === 'spawn n2')).toHaveLength(1)
    expect(effects.some((effect) => effect.includes('not restarted') && effect.includes('holds the directory'))).toBe(true)
  })

  test('two nodes of three that refuse end the launcher, and the third is drained first', () => {
    const cluster = supervise([broker, ...nodes(3)])
    cluster.ready('nats-server', 'n1')
    cluster.exit('n2', 78)
    cluster.take()
    cluster.exit('n3', 78)
    expect(cluster.take()).toContain('SIGTERM n1')
    cluster.exit('n1', 0)
    expect(cluster.take()).toEqual(['SIGTERM nats-server'])
    cluster.exit('nats-server', 0)
    expect(cluster.take()).toEqual(['exit 1'])
  })

  test('nodes that have left are not missed: the others are a majority by themselves, and none of them may fail unseen', () => {
    const cluster = supervise([broker, ...nodes(3)])
    cluster.ready('nats-server')
    cluster.take()
    cluster.exit('n1', 78, `the node has ended: n1 ${HAS_LEFT}: start it with --join to add it again`)
    cluster.exit('n2', 78, `the node has ended: n2 ${HAS_LEFT}: start it with --join to add it again`)
    expect(cluster.take()).toEqual(['n1', 'n2'].map((name) =>
      `say ${name} has left the cluster, as it was told, and is not started; "shardkv node --join --dir /data/${name}" brings it back`))
    cluster.ready('n3')
    cluster.pass(BACKOFF_MS_MAX)
    expect(cluster.take()).toEqual(['announce'])
    cluster.stop()
    cluster.exit('n3', 0)
    cluster.exit('nats-server', 0)
    expect(cluster.take()).toEqual(['SIGTERM n3', 'SIGTERM nats-server', 'exit 0'])
  })

  test('where all nodes have left, the broker stays for members of somebody else', () => {
    const cluster = supervise([broker, ...nodes(3)])
    cluster.ready('nats-server')
    for (const { name } of nodes(3)) cluster.exit(name, 78, `${name} ${HAS_LEFT}`)
    expect(cluster.take()).toContain('announce')
    expect(cluster.state()).toBe('ready')
  })

  test('of the nodes that have not left, half that refuse are one too many', () => {
    const cluster = supervise([broker, ...nodes(3)])
    cluster.ready('nats-server')
    cluster.exit('n1', 78, `n1 ${HAS_LEFT}`)
    cluster.exit('n2', 78, 'another process holds the directory')
    expect(cluster.take()).toContain('SIGTERM n3')
  })

  test(`a node that never becomes ready is given up after ${START_ATTEMPTS_MAX} exits`, () => {
    const cluster = supervise(nodes(3))
    cluster.take()
    for (let attempt = 1; attempt < START_ATTEMPTS_MAX; attempt += 1) {
      cluster.exit('n1', 1, 'port taken')
      cluster.pass(BACKOFF_MS_MAX)
      expect(cluster.take()).toContain('spawn n1')
    }
    cluster.exit('n1', 1, 'port taken')
    cluster.pass(BACKOFF_MS_MAX)
    expect(cluster.take().join()).toContain('not restarted')
  })
})

describe('restarting', () => {
  test('a dead node is restarted after the backoff, not before, and one line says so each way', () => {
    const cluster = running()
    cluster.exit('n2', null)
    expect(cluster.take()).toEqual(['say n2 ended (SIGKILL); restarting in 0.25 s'])
    cluster.pass(BACKOFF_MS_MIN - 1)
    expect(cluster.take()).toEqual([])
    cluster.pass(1)
    expect(cluster.take()).toEqual(['spawn n2'])
    cluster.ready('n2')
    expect(cluster.take()).toEqual(['say n2 is back'])
  })

  test('a dead broker is restarted, however it died, once it has been ready', () => {
    const cluster = running()
    cluster.exit('nats-server', 1)
    cluster.pass(BACKOFF_MS_MIN)
    expect(cluster.take()).toContain('spawn nats-server')
  })

  test('the backoff doubles up to its maximum', () => {
    expect([1, 2, 3, 6, 7, 50].map(backoffMs)).toEqual([250, 500, 1_000, 8_000, BACKOFF_MS_MAX, BACKOFF_MS_MAX])
  })

  test('a node that was ready once is restarted for ever, and a stable life resets its backoff', () => {
    const cluster = running()
    for (let round = 0; round < START_ATTEMPTS_MAX * 2; round += 1) {
      cluster.exit('n1')
      cluster.pass(BACKOFF_MS_MAX)
      cluster.ready('n1')
    }
    expect(cluster.take().filter((effect) => effect === 'spawn n1')).toHaveLength(START_ATTEMPTS_MAX * 2)
    cluster.pass(STABLE_MS)
    cluster.exit('n1')
    expect(cluster.take().join()).toContain('restarting in 0.25 s')
  })

  test('a node that was drained is started once more, says that it has left, and is left alone', () => {
    const cluster = running()
    cluster.exit('n2', 0)
    cluster.pass(BACKOFF_MS_MIN)
    expect(cluster.take()).toEqual(['say n2 ended (exit code 0); restarting in 0.25 s', 'spawn n2'])
    cluster.exit('n2', 78, `n2 ${HAS_LEFT}`)
    cluster.pass(BACKOFF_MS_MAX)
    expect(cluster.take()).toEqual([
      'say n2 has left the cluster, as it was told, and is not started; "shardkv node --join --dir /data/n2" brings it back',
    ])
  })

  test('a running node that starts to refuse is not restarted', () => {
    const cluster = running()
    cluster.exit('n3', 78, 'a twin is alive')
    cluster.pass(BACKOFF_MS_MAX)
    expect(cluster.take()).toEqual([
      'say n3 can not run and is not restarted (exit code 78: a twin is alive); cure that, then start again',
    ])
  })
})

describe('stopping', () => {
  test('nodes drain before the broker is stopped, and the exit code is 0', () => {
    const cluster = running(2)
    cluster.stop()
    expect(cluster.take()).toEqual(['SIGTERM n1', 'SIGTERM n2'])
    cluster.exit('n1', 0)
    expect(cluster.take()).toEqual([])
    cluster.exit('n2', 0)
    expect(cluster.take()).toEqual(['SIGTERM nats-server'])
    cluster.exit('nats-server', 0)
    expect(cluster.take()).toEqual(['exit 0'])
  })

  test('who takes too long is killed, once', () => {
    const cluster = running(1)
    cluster.stop()
    cluster.pass(NODE_DRAIN_MS_MAX)
    cluster.pass(1)
    expect(cluster.take()).toEqual(['SIGTERM n1', 'say n1 takes too long to stop and is killed', 'SIGKILL n1'])
    cluster.exit('n1', null)
    cluster.pass(BROKER_STOP_MS_MAX)
    expect(cluster.take()).toEqual(['SIGTERM nats-server', 'say nats-server takes too long to stop and is killed', 'SIGKILL nats-server'])
  })

  test('a second stop kills everything that is left at once', () => {
    const cluster = running(2)
    cluster.stop()
    cluster.exit('n1', 0)
    cluster.take()
    cluster.stop()
    expect(cluster.take()).toEqual(['SIGKILL nats-server', 'SIGKILL n2'])
    cluster.exit('nats-server', null)
    cluster.exit('n2', null)
    expect(cluster.take()).toEqual(['exit 0'])
  })

  test('nothing is restarted any more, not even who was about to be', () => {
    const cluster = running(2)
    cluster.exit('n1')
    cluster.stop()
    cluster.pass(BACKOFF_MS_MAX)
    expect(cluster.take().filter((effect) => effect.startsWith('spawn'))).toEqual([])
    cluster.exit('n2', 0)
    cluster.exit('nats-server', 0)
    expect(cluster.take()).toContain('exit 0')
  })

  test('a stop while starting ends what runs so far', () => {
    const cluster = supervise([broker, ...nodes(3)])
    cluster.stop()
    expect(cluster.take()).toEqual(['spawn nats-server', 'SIGTERM nats-server'])
    cluster.exit('nats-server', 0)
    expect(cluster.take()).toEqual(['exit 0'])
  })
})
