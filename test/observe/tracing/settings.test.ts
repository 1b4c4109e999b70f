/** How flags and the environment become settings of tracing, and what is refused. */

import { describe, expect, test } from '@jest/globals'
import { TRACE_RATIO_DEFAULT, tracingSettingsOf } from '../../../observe/tracing/settings.ts'
import type { TracingFlags, TracingSettings } from '../../../observe/tracing/settings.ts'

type Row = readonly [string, Partial<TracingFlags>, Readonly<Record<string, string>>, Partial<TracingSettings>]

const base = 'http://collector:4318'
const http = { url: `${base}/v1/traces`, protocol: 'http/protobuf' } as const

describe('settings of tracing', () => {
  test.each<Row>([
    ['nothing', {}, {}, { otlp: null, ratio: 0 }],
    ['an endpoint', { otlpEndpoint: base }, {}, { otlp: http, isAsked: true, ratio: TRACE_RATIO_DEFAULT, ratioAlone: 0 }],
    ['the environment\'s', {}, { OTEL_EXPORTER_OTLP_ENDPOINT: `${base}/` }, { otlp: http, isAsked: false, ratioAlone: 0 }],
    ['a flag before the environment', { otlpEndpoint: base }, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://other:1' }, { otlp: http }],
    ['traces\' own, taken as it is', {}, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://tempo:1/otlp' },
      { otlp: { url: 'http://tempo:1/otlp', protocol: 'http/protobuf' } }],
    ['what compose says', {},
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://jaeger:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_TRACES_SAMPLER_ARG: '0.25' },
      { otlp: { url: 'http://jaeger:4317', protocol: 'grpc' }, ratio: 0.25 }],
    ['JSON', { otlpEndpoint: base, otlpProtocol: 'http/json' }, {}, { otlp: { ...http, protocol: 'http/json' } }],
    ['empty values', {}, { OTEL_EXPORTER_OTLP_ENDPOINT: ' ', OTEL_TRACES_SAMPLER_ARG: '' }, { otlp: null, ratio: 0 }],
    ['disabled', {}, { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_SDK_DISABLED: 'true' }, { otlp: null, ratio: 0 }],
    ['no exporter wanted', {}, { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_TRACES_EXPORTER: 'none' }, { otlp: null }],
    ['a base with a query', { otlpEndpoint: `${base}/in/?tenant=a` }, {}, { otlp: { ...http, url: `${base}/in/v1/traces?tenant=a` } }],
    ['all', { otlpEndpoint: base }, { OTEL_TRACES_SAMPLER: 'parentbased_always_on' }, { ratio: 1 }],
    ['a sampler of the whole machine\'s, without an endpoint', {}, { OTEL_TRACES_SAMPLER: 'xray' }, { otlp: null, ratio: 0 }],
    ['one that is switched off with the rest', { otlpEndpoint: base }, { OTEL_TRACES_SAMPLER: 'always_on', OTEL_SDK_DISABLED: 'true' },
      { otlp: http, ratio: TRACE_RATIO_DEFAULT }],
    ['none', { otlpEndpoint: base }, { OTEL_TRACES_SAMPLER: 'always_off' }, { ratio: 0 }],
    ['a flag before the sampler', { traceRatio: 0.5 }, { OTEL_TRACES_SAMPLER_ARG: '1' }, { ratio: 0.5, ratioAlone: 0.5 }],
  ])('%s', (_name, flags, env, expected) => {
    expect(tracingSettingsOf({ tracesPerSecond: 7, ...flags }, env)).toMatchObject({ perSecondMax: 7, ...expected })
  })

  test.each<readonly [Readonly<Record<string, string>>, RegExp]>([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'jaeger:4317' }, /no OTLP endpoint: use an address such as/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://me:secret@jaeger' }, /no user or password in it/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://me:secret@jaeger:4317' }, /no user or password in it/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'me:secret@jaeger:4317' }, /^What begins with "me:" is no OTLP endpoint/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://jaeger:4317/?key=secret' }, /^What begins with "grpc:\/\/jaeger:4317" is no OTLP endpoint/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://me:secret@jaeger:99999' }, /^This is no OTLP endpoint/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_PROTOCOL: 'thrift' },
      /no protocol of OTLP: use grpc, http\/protobuf, http\/json/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_TRACES_EXPORTER: 'zipkin' }, /it is otlp, or none/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_TRACES_SAMPLER_ARG: '1.5' }, /OTEL_TRACES_SAMPLER_ARG is "1.5": it is a share from 0 to 1/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_TRACES_SAMPLER_ARG: 'some' }, /it is a share from 0 to 1/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_TRACES_SAMPLER: 'jaeger_remote' }, /use traceidratio, always_on or always_off/],
  ])('%o is refused with what to do', (env, reason) => {
    expect(() => tracingSettingsOf({ tracesPerSecond: 1 }, env)).toThrow(reason)
    expect(() => tracingSettingsOf({ tracesPerSecond: 1 }, env)).not.toThrow(/secret/)
  })
})
