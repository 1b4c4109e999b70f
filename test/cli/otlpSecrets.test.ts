/** What exporters say to their receivers, and what of it is struck out of the log. */

import { expect, test } from '@jest/globals'
import { otlpSecrets } from '../../cli/otlpSecrets.ts'
import { createRedaction } from '../../observe/redaction.ts'

test('tokens in the headers of all, of traces and of logs are, as they stand there and as they are sent', () => {
  const secrets = otlpSecrets({
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=0123456789abcdef,x-other=abcdefghijklmnop',
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'Authorization=Bearer%20trace-token-1',
    OTEL_EXPORTER_OTLP_LOGS_HEADERS: 'Authorization=Bearer%20logs-token-22',
  })
  const strike = createRedaction(secrets)
  expect(strike('sent 0123456789abcdef abcdefghijklmnop Bearer%20trace-token-1 Bearer trace-token-1 trace-token-1 logs-token-22'))
    .not.toMatch(/0123|abcdef|token/)
})

test('numbers and short words are not: a line stays what it is', () => {
  const strike = createRedaction(otlpSecrets({
    OTEL_EXPORTER_OTLP_HEADERS: 'X-Scope-OrgID=100000,x-account=123456789012345,x-service=shardkv,x-kind=reason',
  }))
  const line = JSON.stringify({ service: 'shardkv', reason: 'a disk', bytes: 100_000, account: 123_456_789_012_345 })
  expect(strike(line)).toBe(line)
})
