/** Where a node of a test's cluster is asked over HTTP. */

import { expect, test } from '@jest/globals'
import { nodeId } from '../../topology/ids.ts'
import { portOf } from '../support/adminPort.ts'

const line = (port: number): string => `{"actor":"http","host":"127.0.0.1","port":${port},"hasAdmin":true,"msg":"HTTP is served"}\n`

test('the port of a node is that of its newest process, and missing where it has told none', () => {
  const of = (log: string): number => portOf({ log: () => log }, nodeId('n1'))
  expect(of(`${line(4_001)}{"actor":"node"}\n${line(4_002)}`)).toBe(4_002)
  expect(() => of('{"actor":"http","port":1,"hasAdmin":false}')).toThrow(/the port of n1/)
})
