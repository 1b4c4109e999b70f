/** The answer to `kv.help`: what a person with nothing but a NATS client needs to know, within 100 columns. */

type Row = readonly [left: string, middle: string, right: string]

const COLUMNS = [29, 37] as const

export const helpText = (prefix: string): string => [
  'ShardKV: publish a request on a subject, the answer comes to your inbox.',
  '',
  ...table(['SUBJECT', 'PAYLOAD AND WHAT IT DOES', 'ANSWER'], [
    [`${prefix}.get.<key>`, 'empty: reads', 'the value, or NOT_FOUND'],
    [`${prefix}.put.<key>`, 'the value: writes it', 'Kv-Revision'],
    [`${prefix}.del.<key>`, 'empty: deletes', 'Kv-Revision, or NOT_FOUND'],
    [`${prefix}.incr.<key>`, 'a number, or empty for 1: adds it', 'the sum, Kv-Revision'],
    [`${prefix}.touch.<key>`, 'empty: sets Kv-Ttl-Ms, 0 clears it', 'Kv-Revision, or NOT_FOUND'],
    [`${prefix}.<op>.<partition>.<key>`, 'the same; a partition is one shard', ''],
    [`${prefix}.map`, 'empty: shards, replicas, leaders', 'JSON'],
    [`${prefix}.status`, 'empty: asks every node', 'JSON, one message per node'],
    [`${prefix}.help`, 'empty: this', 'text'],
  ]),
  '',
  ...table(['REQUEST HEADER', 'MEANING', ''], [
    ['Kv-If-Revision', 'only when the key has this revision; 0: only when it does not exist', ''],
    ['Kv-Ttl-Ms', 'milliseconds until the key expires', ''],
    ['Kv-Request-Id', 'names one write: sent twice, done once, with the first result;', ''],
    ['', 'another write under it, in the same shard, gets REQUEST_ID_REUSED', ''],
    ['Kv-Consistency', 'of a read: linearizable (default), lease, stale', ''],
    ['Kv-Timeout-Ms', '1 to 60000, default 5000', ''],
    ['traceparent', 'W3C Trace Context', ''],
  ]),
  '',
  'Answers carry Kv-Status (OK, NOT_FOUND, CONFLICT, INVALID, TOO_LARGE, OVERLOADED, ...), Kv-Revision,',
  'Kv-Shard; errors also Kv-Definite (true: it certainly did not happen) and Kv-Retry-After-Ms.',
  'No responders (503): no leader this moment, or a dot too many; nothing happened, try again.',
  'A key is one token: A-Za-z0-9_-=/~:@+, as they are, any other byte as %XX: a.b is sent as a%2Eb.',
  '',
  'Examples:',
  `  nats req ${prefix}.put.user42 Ada`,
  `  nats req ${prefix}.get.user42 ''`,
  `  nats req ${prefix}.put.lock me -H Kv-If-Revision:0 -H Kv-Ttl-Ms:30000`,
  `  nats req ${prefix}.status '' --replies=0`,
  '',
].join('\n')

const table = (head: Row, rows: readonly Row[]): readonly string[] => [head, ...rows].map(([left, middle, right]) => {
  const middleColumns = right === '' ? 0 : COLUMNS[1]
  return `  ${left.padEnd(COLUMNS[0])}${middle.padEnd(middleColumns)}${right}`.trimEnd()
})
