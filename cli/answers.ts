/** From an outcome to an answer, or to an error that says what to do next. */

import { CliError, ExitCode } from './exit.ts'
import type { KvAnswer, KvOutcome } from './client.ts'

/** What a person should do about an answer that is no success. */
export const answerOrThrow = (outcome: KvOutcome): KvAnswer => {
  if (outcome.kind === 'refused') throw new CliError(ExitCode.usage, outcome.reason)
  if (outcome.kind === 'unavailable') throw new CliError(ExitCode.unavailable, unavailableText(outcome))
  const { answer } = outcome
  if (answer.status === 'OK') return answer
  const detail = new TextDecoder().decode(answer.value)
  if (answer.status === 'NOT_FOUND') throw new CliError(ExitCode.notFound, detail === '' ? 'there is no such key' : detail)
  if (answer.status === 'CONFLICT') {
    const there = answer.revision === 0 ? 'does not exist' : `is at revision ${answer.revision}`
    throw new CliError(ExitCode.error, `CONFLICT: the key ${there}; read it and try again`)
  }
  const effect = answer.isDefinite ? '' : ' (it may have happened: read the key before you repeat it)'
  throw new CliError(ExitCode.error, `${answer.status}${detail === '' ? '' : `: ${detail}`}${effect}`)
}

const unavailableText = ({ reason, isDefinite, isDenied }: Extract<KvOutcome, { kind: 'unavailable' }>): string => {
  if (!isDefinite) return `${reason}; it may or may not have happened. Read the key, or repeat with the same --request-id`
  return `${reason}; nothing was changed. ${isDenied === true
    ? '"shardkv nats-config --cluster ID" prints what the broker must permit to clients; "shardkv doctor" looks what it does'
    : 'Is the cluster up? "shardkv status" shows it; "shardkv start" starts one here'}`
}
