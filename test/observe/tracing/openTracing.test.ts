/** Where a node's spans go when the packages of an exporter are not installed: it depends on who asked for them. */

import { expect, test } from '@jest/globals'
import { openTracing } from '../../../observe/tracing/openTracing.ts'
import { createRandomIds } from '../../../observe/tracing/randomIds.ts'
import { createSystemClock } from '../../../actors/kernel/systemClock.ts'
import { silentLogger } from '../../../actors/kernel/log.ts'
import type { ProcessTracing } from '../../../observe/tracing/openTracing.ts'

const missing = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })

const open = (isAsked: boolean, failure: Error, warned: unknown[] = []): Promise<ProcessTracing> => openTracing({
  settings: { otlp: { url: 'http://collector:4317', protocol: 'grpc' }, isAsked, ratio: 1, ratioAlone: 0, perSecondMax: 9 },
  node: 'n1', version: '1.2.3', env: {}, clock: createSystemClock(), ids: createRandomIds(), random: () => 0,
  log: { ...silentLogger, warn: (fields, text) => { warned.push({ ...fields, text }) } },
  load: async () => { throw failure },
})

test('an endpoint that a flag of the node names needs its packages, and the error says which', async () => {
  const [exporter, resources] = ['@opentelemetry/exporter-trace-otlp-grpc', '@opentelemetry/resources']
  await expect(open(true, missing)).rejects.toThrow(`${exporter} is not installed: npm install ${exporter} ${resources}`)
})

test('an endpoint of a whole machine\'s environment hinders no node: it warns, and samples nothing by itself', async () => {
  const warned: unknown[] = []
  const tracing = await open(false, missing, warned)
  expect(warned).toEqual([{ actor: 'traces', reason: expect.stringContaining('is not installed'), text: 'spans are not exported' }])
  expect(tracing.join({ begin: () => null, beginAtShard: () => { throw new Error('nobody asked') } }).draw).toBeUndefined()
  await tracing.close()
})

test('a package that is there and does not load is an error, whoever asked for it', async () => {
  await expect(open(false, new Error('broken'))).rejects.toThrow(/can not be loaded: broken/)
})
