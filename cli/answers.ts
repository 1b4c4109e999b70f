/** From an outcome to an answer, or to an error that says what to do next. */

import { CliError, ExitCode } from './exit.ts'
import { detailOf } from './client.ts'
import type { KvAnswer, KvOutcome } from './client.ts'

/** What a person should do about an answer that is no success. `requestId` is the write's: under it a repetition takes effect once. */
export const answerOrThrow = (outcome: KvOutcome, requestId?: string): KvAnswer => {
  if (outcome.kind === 'refused') throw new CliError(ExitCode.usage, outcome.reason)
  const next = `Read the key before you repeat it${requestId === undefined ? '' : `, or repeat it with --request-id ${requestId}`}`
  if (outcome.kind === 'unavailable') throw new CliError(ExitCode.unavailable, unavailableText(outcome, next))
  const { answer } = outcome
  if (answer.status === 'OK') return answer
  const detail = detailOf(answer)
  if (answer.status === 'NOT_FOUND') throw new CliError(ExitCode.notFound, detail === '' ? 'there is no such key' : detail)
  if (answer.status === 'CONFLICT') {
    const there = answer.revision === 0 ? 'does not exist' : `is at revision ${answer.revision}`
    throw new CliError(ExitCode.error, `CONFLICT: the key ${there}; read it and try again`)
  }
  const said = `${answer.status}${detail === '' ? '' : `: ${detail}`}`
  throw new CliError(ExitCode.error, answer.isDefinite ? said : `${said.replace(/\.$/, '')}. It may have happened. ${next}`)
}

const unavailableText = ({ reason, isDefinite, isDenied }: Extract<KvOutcome, { kind: 'unavailable' }>, next: string): string => {
  if (!isDefinite) return `${reason}; it may or may not have happened. ${next}`
  return `${reason}; nothing was changed. ${isDenied === true
    ? '"shardkv nats-config --cluster ID" prints what the broker must permit to clients; "shardkv doctor" looks what it does'
    : 'Is the cluster up? "shardkv status" shows it; "shardkv start" starts one here'}`
}
