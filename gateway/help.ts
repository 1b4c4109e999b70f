/** The answer to `kv.help`: what a person with nothing but a NATS client needs to know. */

export const helpText = (prefix: string): string => `ShardKV: publish a request, the answer comes to your inbox.

  ${prefix}.get.<key>                read                      the value; Kv-Revision
  ${prefix}.put.<key>                write the payload         Kv-Revision
  ${prefix}.del.<key>                delete                    NOT_FOUND when there is nothing
  ${prefix}.incr.<key>               add the payload (or 1)    the new number
  ${prefix}.touch.<key>              set Kv-Ttl-Ms, 0 clears   Kv-Revision
  ${prefix}.<op>.<partition>.<key>   the same; all keys of a partition share a shard
  ${prefix}.map                      the cluster map as JSON
  ${prefix}.status                   one JSON report from every node

Request headers: Kv-If-Revision (0: must not exist), Kv-Ttl-Ms, Kv-Request-Id, Kv-Consistency (linearizable, lease, stale),
Kv-Timeout-Ms, traceparent. Reply headers: Kv-Status, Kv-Revision, Kv-Shard; on errors Kv-Definite, Kv-Retry-After-Ms.
A key is one token: percent-encode bytes outside A-Za-z0-9_-=/~:@+, with upper-case hex.
`
