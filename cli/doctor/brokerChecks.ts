/** What the doctor says about the broker: its version, the way to it, the routing, and who may do what. */

import { versionWarning } from '../../bus/brokerVersion.ts'
import { worstRouting } from '../status/merge.ts'
import { note, ok, problem } from './finding.ts'
import type { Evidence } from './evidence.ts'
import type { Finding } from './finding.ts'

/** Each write crosses the broker about four times: above this, in milliseconds, the way to it is most of what a request takes. */
const ROUND_TRIP_MS_USUAL = 10

export const checkBroker = ({ broker, roundTripMs }: Evidence): readonly Finding[] => {
  const warning = versionWarning(broker.version)
  const found = `nats-server ${broker.version} at ${broker.url}`
  const way = `${roundTripMs.toFixed(1)} ms to the broker and back`
  return [
    warning === null ? ok('broker', found) : problem('broker', warning, 'install a newer nats-server and restart the broker'),
    roundTripMs <= ROUND_TRIP_MS_USUAL
      ? ok('round trip', way)
      : note('round trip', `${way}: every request waits for that`, 'look for a broker nearer to this machine, or for a busy one'),
  ]
}

export const checkRouting = ({ second, prefix }: Evidence): readonly Finding[] => {
  const reports = second.map(({ report }) => report)
  const shards = reports[0]?.shardCount ?? 0
  const config = `put what "shardkv nats-config --shards ${shards} --prefix ${prefix}" maps into the broker's configuration`
  switch (worstRouting(reports)) {
    case 'broker': return [ok('routing', `the broker routes each of ${shards} shards to its leader`)]
    case 'gateway': return [note('routing', 'the broker has no mapping: nodes forward each request, which costs one hop', config)]
    case 'mismatch': return [problem('routing', 'the broker maps for another shard count: it sends keys to the wrong shards', config)]
  }
}

export const checkAccess = ({ access, hasUser, second, prefix }: Evidence): readonly Finding[] => {
  if (access === null) return []
  const cluster = second[0]?.report.cluster ?? '<cluster>'
  const config = `"shardkv nats-config --cluster ${cluster}" prints what this user needs`
  return [clientAccess(access, prefix, config), nodeAccess(access, hasUser, cluster)]
}

const clientAccess = (access: NonNullable<Evidence['access']>, prefix: string, config: string): Finding => {
  const missing = [
    ...(access.help === 'OK' ? [] : [`${prefix}.help is answered with "${access.help}"`]),
    ...(access.read === 'NOT_FOUND' ? [] : [`a read is answered with "${access.read}"`]),
  ]
  if (missing.length > 0) return problem('access', missing.join('; '), `see whether the nodes serve; ${config}`)
  const refused = [
    ...(access.mayHearChanges ? [] : [`hear ${prefix}-changed.>`]),
    ...(access.mayAskServices ? [] : ['ask $SRV.> (nats micro)']),
  ]
  if (refused.length > 0) return note('access', `reads are answered; this user may not ${refused.join(' and not ')}`, config)
  return ok('access', 'this user may ask everything a client asks')
}

const nodeAccess = (access: NonNullable<Evidence['access']>, hasUser: boolean, cluster: string): Finding => {
  const forbidden = [...(access.maySpeakAsNode ? ['speak'] : []), ...(access.mayHearNodes ? ['listen'] : [])]
  if (forbidden.length === 0) return answersAccess(access, cluster)
  const cure = `set up users with "shardkv nats-config --cluster ${cluster} --nodes ..."`
  return hasUser
    ? problem('permissions', `this user may ${forbidden.join(' and ')} on the subjects between nodes, so it could forge them`, cure)
    : note('permissions', 'the broker asks nobody for a name: whoever reaches it can read, write and forge everything',
      `fine on one machine; elsewhere ${cure}`)
}

/** A user that may not read is no client's: a node's has to hear answers. */
const answersAccess = ({ mayHearAnswers, read }: NonNullable<Evidence['access']>, cluster: string): Finding => {
  if (!mayHearAnswers || read === 'denied') return ok('permissions', 'the broker keeps this user off what nodes say to each other')
  return note('permissions',
    'the broker keeps this user off the subjects between nodes, but not from where nodes hear each other\'s answers',
    `print users anew with "shardkv nats-config --cluster ${cluster} --nodes ...": what earlier versions printed lets clients listen there`)
}
