/** Raft messages as text. */

import type { Entry, RaftMessage } from '../../actors/raft/protocol.ts'

/** The message in one line, the way transcripts show it. */
export const describeMessage = (message: RaftMessage): string => {
  const fields = Object.entries(message).filter(([name]) => name !== 'type').map(([name, value]) => `${name}=${describeField(name, value)}`)
  return [message.type, ...fields].join(' ')
}

const describeField = (name: string, value: unknown): string => {
  if (name === 'entries') return `[${(value as Entry[]).map((entry) => `${entry.index}/${entry.term}`).join(' ')}]`
  if (value instanceof Uint8Array) return `${value.length}B`
  if (name === 'incarnation' || name === 'challenge' || name === 'crc' || name === 'wallMs') return '*'
  return String(value) === '' ? '-' : String(value)
}
