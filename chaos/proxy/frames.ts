/**
 * The bytes of a NATS connection as frames, in either direction, without understanding more than where each ends: a line, and after
 * PUB, HPUB, MSG, HMSG (RMSG, LMSG, HMSG between brokers) as many bytes as its last word says.
 * https://docs.nats.io/reference/reference-protocols/nats-protocol
 */

export interface Frame {
  readonly bytes: Buffer
  /** Of a message; null of everything else. */
  readonly subject: string | null
  /** A message that carries headers, as text; empty otherwise. */
  readonly headers: string
}

export interface FrameReader {
  /** The frames that are complete with these bytes. */
  readonly read: (chunk: Buffer) => readonly Frame[]
}

const CRLF = '\r\n'
const LINE_BYTES_MAX = 65_536

export const createFrameReader = (): FrameReader => {
  let rest: Buffer = Buffer.alloc(0)
  return {
    read: (chunk) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      const frames: Frame[] = []
      let at = 0
      for (;;) {
        const frame = frameAt(rest, at)
        if (frame === null) break
        frames.push(frame)
        at += frame.bytes.length
      }
      rest = rest.subarray(at)
      return frames
    },
  }
}

/** The frame that begins at `start`, or null while it is not complete. */
const frameAt = (bytes: Buffer, start: number): Frame | null => {
  const lineEnd = bytes.indexOf(CRLF, start)
  if (lineEnd < 0) {
    if (bytes.length - start > LINE_BYTES_MAX) throw new Error('this is no NATS connection: a line without an end')
    return null
  }
  const bodyStart = lineEnd + CRLF.length
  const operation = bytes.toString('latin1', start, Math.min(start + 5, lineEnd)).trimEnd().toUpperCase()
  if (!/^(?:PUB|HPUB|MSG|HMSG|RMSG|LMSG)\b/.test(operation)) {
    return { bytes: bytes.subarray(start, bodyStart), subject: null, headers: '' }
  }
  const words = bytes.toString('latin1', start, lineEnd).split(/\s+/)
  const end = bodyStart + Number(words.at(-1)) + CRLF.length
  if (bytes.length < end) return null
  const hasHeaders = operation.startsWith('H')
  const headers = hasHeaders ? bytes.toString('latin1', bodyStart, bodyStart + Number(words.at(-2))) : ''
  return { bytes: bytes.subarray(start, end), subject: words[1] ?? '', headers }
}
